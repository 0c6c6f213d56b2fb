//! PID 1 and the initrd stage: boot, mounts, supervision, shutdown.
