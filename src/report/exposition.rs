//! The text format in which Prometheus and node_exporter read metrics.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::Write as _;

use jiff::Timestamp;

/// Gauges in the text format, one family after the other.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

/// A family whose samples are being written. Without a sample nothing is written: what is unknown is absent.
pub(super) struct Family<'a> {
    exposition: &'a mut Exposition,
    name: &'static str,
    help: &'static str,
    is_begun: bool,
}

impl Exposition {
    /// A family of gauges with this name, which `help` describes in one sentence.
    pub(super) fn family(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        Family {
            exposition: self,
            name,
            help,
            is_begun: false,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// A count, or 0 and 1 for no and yes.
    pub(super) fn count(&mut self, labels: &[(&str, &str)], value: u64) {
        self.sample(labels, &value.to_string());
    }

    /// A number of seconds.
    pub(super) fn seconds(&mut self, labels: &[(&str, &str)], value: f64) {
        self.sample(labels, &value.to_string());
    }

    /// A time, in seconds since 1970-01-01T00:00:00Z, to the microsecond.
    pub(super) fn time(&mut self, labels: &[(&str, &str)], at: Timestamp) {
        let micros = at.as_microsecond();
        let sign = if micros < 0 { "-" } else { "" };
        let micros = micros.unsigned_abs();
        let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
        self.sample(labels, &format!("{sign}{whole}.{rest:06}"));
    }

    /// The same for a count that may be unknown.
    pub(super) fn count_if(&mut self, labels: &[(&str, &str)], value: Option<u64>) {
        if let Some(value) = value {
            self.count(labels, value);
        }
    }

    /// The same for a time that may be unknown.
    pub(super) fn time_if(&mut self, labels: &[(&str, &str)], at: Option<Timestamp>) {
        if let Some(at) = at {
            self.time(labels, at);
        }
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: &str) {
        let text = &mut self.exposition.text;
        if !self.is_begun {
            self.is_begun = true;
            let (name, help) = (self.name, self.help);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        }
        text.push_str(self.name);
        for (place, (label, value)) in labels.iter().enumerate() {
            text.push(if place == 0 { '{' } else { ',' });
            let _ = write!(text, "{label}=\"");
            escape_into(text, value);
            text.push('"');
        }
        if !labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }
}

/// Writes the value of a label: backslash, quotation mark and line feed are the only characters with a meaning.
fn escape_into(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_without_samples_is_absent_and_labels_are_escaped() {
        let mut exposition = Exposition::default();
        exposition.family("a_unknown", "Nothing.");
        let mut family = exposition.family("b_size", "Bytes.");
        family.count(&[("log", "a\\\"b\nc} 1"), ("kind", "x")], 3);
        family.count(&[], u64::MAX);
        exposition.family("c_seconds", "S.").seconds(&[], 0.25);
        let mut times = exposition.family("d_timestamp_seconds", "T.");
        for micros in [0, 1_700_000_000_000_001, -1_500_000] {
            let at = Timestamp::from_microsecond(micros).expect("a time");
            times.time(&[], at);
        }
        assert_eq!(
            exposition.into_text(),
            "# HELP b_size Bytes.\n# TYPE b_size gauge\n\
             b_size{log=\"a\\\\\\\"b\\nc} 1\",kind=\"x\"} 3\n\
             b_size 18446744073709551615\n\
             # HELP c_seconds S.\n# TYPE c_seconds gauge\nc_seconds 0.25\n\
             # HELP d_timestamp_seconds T.\n# TYPE d_timestamp_seconds gauge\n\
             d_timestamp_seconds 0.000000\nd_timestamp_seconds 1700000000.000001\nd_timestamp_seconds -1.500000\n"
        );
    }
}
