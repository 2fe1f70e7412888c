-- Networks that an API key may be used from, as a list of CIDR texts; null is from anywhere.
ALTER TABLE api_keys ADD COLUMN allowed_ips jsonb;
