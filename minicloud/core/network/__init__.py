"""Network: networks, subnets and their addresses, ports, security groups, routers, floating addresses; and what hosts shall hold.

``ipam`` chooses addresses, ``wishes`` says what a host shall hold of all this; one file for each resource besides. May import
``identity``, ``placement`` and ``image`` of core.
"""
