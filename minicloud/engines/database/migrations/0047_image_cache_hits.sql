-- How often the hosts found an image in their caches; and images by what they hold, as hosts name them.
ALTER TABLE image_cache ADD COLUMN hits BIGINT NOT NULL DEFAULT 0;
CREATE INDEX images_by_hash ON images (os_hash_value);
