-- Who has a message that goes to several recipients, of whom the mail server refused some.

-- JSON: a list of the recipients that have it, as configured; NULL: nobody, or it was delivered to all. Those who have it do
-- not get it again because another recipient is tried again.
ALTER TABLE alert ADD COLUMN reached TEXT;
