#!/bin/sh
# First program when the root is a disk: find the root file system, stretch its partition to the end of the disk, hand over.
export PATH=/bin:/sbin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec </dev/console >/dev/console 2>&1
. /lib/minilinux/disks

root=LABEL=mcroot init=/sbin/init mode=rw
set -f
for word in $(cat /proc/cmdline); do
    case $word in
        root=*) root=${word#root=} ;;
        init=*) init=${word#init=} ;;
        ro) mode=ro ;;
    esac
done
set +f

load_drivers
tries=0
until device=$(root_device "$root"); do
    tries=$((tries + 1))
    if [ $tries = 100 ]; then
        echo "minilinux: no root file system ($root) after 10 s; the kernel sees these disks:"
        cat /proc/partitions
        echo "minilinux: a shell follows; leave it to try again"
        sh
        tries=0
    fi
    # Disks behind SCSI and IDE appear some time after their driver.
    usleep 100000
    load_drivers
done

stretch_partition "$device"
until mount -t ext4 -o $mode "$device" /new; do
    echo "minilinux: cannot mount $device; a shell follows; leave it to try again"
    sh
done
mkdir -p /new/dev /new/proc /new/sys
mount --move /dev /new/dev
mount --move /proc /new/proc
mount --move /sys /new/sys
exec switch_root -c /dev/console /new "$init"
