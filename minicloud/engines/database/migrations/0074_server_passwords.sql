-- The password that a guest told the metadata service, encrypted by the guest with its owner's key.
ALTER TABLE servers ADD COLUMN guest_password TEXT;
