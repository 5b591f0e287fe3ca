"""Sentences of the hosts: images, disks, networks, commands, guests, metadata."""

from minicloud.cli.sentences.facts import Facts, Said, Sentence, Tell, command, listed, megabytes


def _image(f: Facts) -> Said:
    return f"the image {str(f['checksum'])[:12]} ({f['format']}) is had on this host"


def _fetch_image(f: Facts) -> Said:
    size = f.get("bytes")
    return f"the image {f['checksum']} was not here yet: fetched" + (f", {megabytes(size)}" if size is not None else "")


def _start_machine(f: Facts) -> Said:
    pid = f" as process {f['pid']}" if f.get("pid") else ""
    argv = f.get("argv")
    return Sentence(f"the guest is started{pid}", [command(argv)] if argv else [])


def _command(f: Facts) -> Said:
    line = command(f["argv"])
    if f.get("timed_out"):
        return f"ran {line}: it did not end in time"
    if f.get("detached"):
        return f"started {line}" + (f" (process {f['pid']})" if f.get("pid") else "")
    code = f.get("code")
    return f"ran {line}" + (f": it ended with {code}" if code else "")


def _script(f: Facts) -> Said:
    lines = [str(line) for line in f["lines"]]
    where = f" in {f['namespace']}" if f.get("namespace") else ""
    return Sentence(f"{f['program']}{where}: {len(lines)} line{'' if len(lines) == 1 else 's'}", lines)


def _metadata(f: Facts) -> Said:
    if "path" not in dict(f.items()):
        return f"metadata door {f.get('door') or f.get('listener')}: {f.get('did') or f.get('refused') or f.get('bug')}"
    caller = f.get("address") or f.get("caller") or "a guest"
    return f"{caller} asks the metadata service for {f['path']}: answered {f.get('status', 'nothing')}"


def _dnsmasq(f: Facts) -> Said:
    why = f": {f['why']}" if f.get("why") else ""
    return f"DHCP of network {f.name('network')}: {f['did']}" + (f" (process {f['pid']})" if f.get("pid") else "") + why


def _advertiser(f: Facts) -> Said:
    why = f": {f['why']}" if f.get("why") else ""
    return f"router advertisements of {f.name('router')}: {f['did']} (process {f.get('pid', 'none')}){why}"


def _fabric(f: Facts) -> Said:
    about = " ".join(str(f.called(f[key])) for key in ("id", "namespace", "cloud") if f.get(key))
    return f"networks: {f['did']} {about}".rstrip() + (f": {f['why']}" if f.get("why") else "")


def _host_leg(f: Facts) -> Said:
    why = f": {f['why']}" if f.get("why") else ""
    return f"this machine's own leg {f['address']} on network {f.name('network')}: {f['did']}{why}"


def _machine_ended(f: Facts) -> Said:
    code = f" with code {f['code']}" if f.get("code") is not None else ""
    return f"the guest's process has ended{code}: {f['reason']}"


SENTENCES: dict[str, Tell] = {
    "image": _image,
    "fetch_image": _fetch_image,
    "image_damaged": lambda f: f"the image {f['checksum']} was changed on this host since it came: it is fetched anew",
    "image_unverified": lambda f: f"the image {f['checksum']} may have been changed on this host: {f['why']}",
    "image_renewed": lambda f: (
        f"host {f['host']} had other bytes of image {f.name('image')} than came: it fetched them anew"
    ),
    "image_unsound": lambda f: f"whether {f['host']} has the bytes of image {f['image']} is not known: {f['why']}",
    "image_uncached": lambda f: f"the image {f['checksum']} was removed from this host, where nobody needs it",
    "image_not_cached": lambda f: f"image {f.name('image')} did not come to {f.get('host') or 'any host'}: {f['why']}",
    "root_disk": lambda f: (
        f"the root disk of {f['root_gb']} GiB is made"
        if f["root_gb"]
        else "the root disk is made, as large as the image"
    ),
    "plug": lambda f: "the ports are wired",
    "start_machine": _start_machine,
    "spawned": lambda f: (
        f"the guest is {f['power_state']} on host {f['host']}" + (f" (process {f['pid']})" if f.get("pid") else "")
    ),
    "command": _command,
    "script": _script,
    "metadata": _metadata,
    "dnsmasq": _dnsmasq,
    "advertiser": _advertiser,
    "fabric": _fabric,
    "fabric_skipped": lambda f: f"left out: {f['what']}",
    "fabric_chosen": lambda f: f"networks are of kind {f['kind']}: {listed(f['missing'])}",
    "host_leg": _host_leg,
    "way_out": lambda f: (
        f"the way out of this machine is {f['did']}"
        + (f" for {listed(f['ranges'])}" if f.get("ranges") else f" by {f['program']}")
    ),
    "power_changed": lambda f: f"the guest became {f['state']} by itself on host {f['host']}",
    "power_change_untold": lambda f: f"the control side could not be told: {f['error']}",
    "frozen": lambda f: f"the agent in the guest lets {f['file_systems']} file systems stand still",
    "thawed": lambda f: f"the agent in the guest lets {f['file_systems']} file systems go on",
    "not_frozen": lambda f: f"the copy is as after a power cut: {f['why']}",
    "not_thawed": lambda f: f"the guest's file systems may still stand still: {f['why']}",
    "watchdog": lambda f: f"the guest's watchdog was not fed: {f['action']}",
    "cpu_limits": lambda f: f"the guest's processors are held back by the control group {f['group']}",
    "disk_copy": lambda f: f"the guest's disks are copied as they are now: {listed(sorted(f['paths']))}",
    "password_told": lambda f: "the guest told a password, encrypted for its owner",
    "password_not_kept": lambda f: f"the password cannot be read again: {f['why']}",
    "device_addresses_unknown": lambda f: f"nobody knows where the guest finds its devices: {f['why']}",
    "machine_changed": lambda f: f"the guest became {f['power']}",
    "machine_ended": _machine_ended,
    "machine_lost": lambda f: f"the guest is gone: {f['why']}",
    "machine_unreachable": lambda f: f"the guest's QEMU does not answer: {f['why']}",
    "disk_error": lambda f: (
        "the guest's disk has an error: " + ", ".join(f"{key} {value}" for key, value in f.items() if key != "machine")
    ),
    "reboot_failed": lambda f: f"the reboot failed: {f['why']}",
    "host_registered": lambda f: (
        f"host {f['host']} is written down: {f['vcpus']} vCPUs, {f['memory_mb']} MiB, {f['disk_gb']} GiB"
    ),
    "guest_image": lambda f: "the guest image is built" + (f": version {f['version']}" if f.get("version") else ""),
    "probe": lambda f: f"QEMU {f['version']}, KVM {'works' if f['kvm'] else 'does not'}: {f['why']}",
}
