-- The last registered signing of a watch: a page compares a finding with it. Registered signings are few beside the others.
CREATE INDEX finding_expected ON finding (watch, number) WHERE verdict = 'expected';
