"""The sagas of image: what takes longer than one commit to become an image."""
