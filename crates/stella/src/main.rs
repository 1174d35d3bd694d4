//! `stella`: StellaOps' command line.

fn main() {}
