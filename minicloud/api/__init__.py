"""HTTP: the root files are the machine, each subfolder a service, a file per resource.

``routes`` are lines one can read; ``bodies`` and ``microversions`` turn JSON into structs and back as each version has it;
``listing`` reads paging and filters; ``auth`` knows who asks; ``faults`` speaks each service's dialect; ``app`` is the door
that puts them in order. May import base, core, conductor, the blobs' promise and starlette; no service imports another.
"""
