"""The metadata service: what a guest hears at http://169.254.169.254, from the host that carried its question here."""
