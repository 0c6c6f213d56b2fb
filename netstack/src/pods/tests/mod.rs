//! Pods in namespaces that the tests make themselves. What the kernel did is checked by traffic and by its text files.

mod life;
mod ports;
mod rig;
mod traffic;
