//! The one writer of systemd's file syntax: nothing reaches a unit file unescaped.
