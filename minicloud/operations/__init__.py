"""What whoever runs a cloud asks of it beside the APIs: the rows behind the command line, a running cloud's desk, checks, purging.

Like ``cloud.py`` it may import everything; the command line imports it, and nothing else does. ``reads`` are functions on a
transaction, so that they serve a running cloud and the files of a stopped one alike.
"""
