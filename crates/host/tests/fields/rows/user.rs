//! `users/*/homed-config.json`: users are not made yet, and a finding says so of each.

use super::{Edit, Row, row};
use crate::world::File;
use serde_json::{Value, json};

const FILE: &str = "users/ada/homed-config.json";

pub(super) fn rows() -> Vec<Row> {
    let set = |field, pointer, value: Value| {
        let row = row("user", field).set(FILE, pointer, value);
        row.says("not-available", "user `ada`")
    };
    let mut renamed = row("user", "userName").says("not-available", "user `bob`");
    renamed.change = vec![
        Edit::Delete(FILE),
        Edit::Write(
            "users/bob/homed-config.json",
            File::Document(json!({ "userName": "bob" })),
        ),
    ];
    vec![
        renamed,
        set("realName", "/realName", json!("Ada")),
        set("emailAddress", "/emailAddress", json!("ada@example.org")),
        set("iconName", "/iconName", json!("ada")),
        set("location", "/location", json!("London")),
        set("timeZone", "/timeZone", json!("Europe/London")),
        set(
            "preferredLanguage",
            "/preferredLanguage",
            json!("en_GB.UTF-8"),
        ),
        set(
            "additionalLanguages",
            "/additionalLanguages",
            json!(["fr_FR.UTF-8"]),
        ),
        set("shell", "/shell", json!("/bin/sh")),
        set("environment", "/environment", json!(["A=b"])),
        set("umask", "/umask", json!(63)),
        set("niceLevel", "/niceLevel", json!(5)),
        set("locked", "/locked", json!(true)),
        set("autoLogin", "/autoLogin", json!(true)),
        set("killProcesses", "/killProcesses", json!(true)),
        set("tasksMax", "/tasksMax", json!(100)),
        set("memoryMax", "/memoryMax", json!(1_000_000)),
        set("memoryHigh", "/memoryHigh", json!(1_000_000)),
        set("cpuWeight", "/cpuWeight", json!(50)),
        set("ioWeight", "/ioWeight", json!(50)),
        set("diskSize", "/diskSize", json!(1_000_000)),
        set("passwordHint", "/passwordHint", json!("the usual")),
        set(
            "enforcePasswordPolicy",
            "/enforcePasswordPolicy",
            json!(true),
        ),
    ]
}
