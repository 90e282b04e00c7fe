//! Findings, plans and status, for people and for programs.
