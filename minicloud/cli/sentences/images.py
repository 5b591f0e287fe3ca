"""Sentences of images: how their bytes came, what they turned out to be, what became of them."""

from minicloud.cli.sentences.facts import Facts, Said, Tell


def _active(f: Facts) -> Said:
    said = f"image {f.name('image')} is active: {f['size']} bytes, {f['virtual_size']} as a disk"
    return said + (f"; md5 {f['md5']}, sha512 {f['sha512'][:16]}..." if f.get("sha512") else "")


def _inspected(f: Facts) -> Said:
    return f"its bytes were looked into: {f['size']} bytes of {f['format']}, {f['virtual_size']} as a disk"


SENTENCES: dict[str, Tell] = {
    "image_created": lambda f: f"image {f['name'] or f['image']} is written down, without bytes",
    "image_upload": lambda f: f"bytes of image {f.name('image')} come in, said to be {f['disk_format']}",
    "image_staging": lambda f: f"bytes for image {f.name('image')} are put aside until they are imported",
    "image_import": lambda f: f"image {f.name('image')} is imported by task {f['task']}, said to be {f['disk_format']}",
    "image_inspected": _inspected,
    "image_active": _active,
    "image_upload_abandoned": lambda f: f"image {f.name('image')} has no bytes and waits for others: {f['why']}",
    "image_deleted": lambda f: f"image {f.name('image')} is deleted, it was {f['was']}",
    "image_bytes_left": lambda f: f"the bytes of image {f.name('image')} could not be removed yet: {f['why']}",
    "image_store_full": lambda f: f"the store took no more bytes of image {f.name('image')}: {f['why']}",
    "image_shared": lambda f: f"image {f.name('image')} is shared with project {f.name('project')}",
    "image_cache_queued": lambda f: f"image {f.name('image')} is to come into the caches of hosts",
    "image_not_cached": lambda f: f"host {f['host']} could not get image {f.name('image')}: {f['why']}",
}
"""By word."""
