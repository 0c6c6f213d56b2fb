//! Owns QEMU: machines, serial markers, disk faults.
