"""Image's rules and records: images, their uploads and changes, and the projects they are shared with. May import identity, placement."""
