-- Access rules are listed in the order in which they were made, those of an application credential in the order asked for.
ALTER TABLE access_rules ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE application_credential_access_rules ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
