//! On-disk formats of a device.
