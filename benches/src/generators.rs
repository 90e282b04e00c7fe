//! The generators, beside the system calls that they cannot do without and beside what others do for as many units.
//!
//! All state is in memory and was read before; the programs are timed from their start to their end.

use crate::measure::{Binaries, Usage, in_turn, installed, success};
use crate::namespace;
use crate::report::{Quantity, Row, Target};
use crate::state::State;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tenants.
const COUNTS: [usize; 3] = [100, 1_000, 10_000];
/// Tenants of the shell generator, which takes a third of a minute for a thousand.
const SHELL_COUNT: usize = 100;
/// Starting a program takes so little that only many runs show a difference.
const START_RUNS: u32 = 201;
/// What the rest of a machine does moves short runs: few runs of them tell nothing.
const CALLS_RUNS: u32 = 31;
/// Generators and the file of a generation that each reads.
const GENERATORS: [(&str, &str); 2] = [
    ("tenant-generator", "boot"),
    ("mount-generator", "mount-boot"),
];

/// All rows.
pub(crate) fn measure(
    binaries: &Binaries,
    podman: Option<&Path>,
    runs: u32,
) -> anyhow::Result<Vec<Row>> {
    let bench = Bench {
        binaries,
        podman,
        runs,
        scratch: namespace::scratch()?,
    };
    let mut state = State::new()?;
    let mut rows = bench.start()?;
    let mut beside_quadlet = Vec::new();
    for count in COUNTS {
        state.grow(count)?;
        for (generator, file) in GENERATORS {
            rows.extend(bench.calls(&state, generator, file, count)?);
        }
        if count == SHELL_COUNT {
            rows.push(bench.shell(count)?);
        }
        beside_quadlet.push(bench.quadlet(count)?);
    }
    rows.extend(beside_quadlet);
    Ok(rows)
}

struct Bench<'a> {
    binaries: &'a Binaries,
    /// A file tree with podman in it.
    podman: Option<&'a Path>,
    runs: u32,
    scratch: PathBuf,
}

impl Bench<'_> {
    /// No tenants: only the program's own start.
    fn start(&self) -> anyhow::Result<Vec<Row>> {
        let nothing = self.binaries.path("nothing")?;
        GENERATORS
            .iter()
            .map(|(generator, _)| {
                let (ours, theirs) = in_turn(
                    START_RUNS,
                    || self.generator(generator),
                    || success(&mut Command::new(&nothing)),
                )?;
                let what = format!("`{generator}`, 0 tenants");
                let more = Target::More(Quantity::Milliseconds(1.0));
                let name = "a program that does nothing";
                Ok(Row::beside(what, ours.wall()?, name, theirs.wall()?).promised(more))
            })
            .collect()
    }

    /// Beside the bare calls that leave the same tree.
    fn calls(
        &self,
        state: &State,
        generator: &str,
        file: &str,
        count: usize,
    ) -> anyhow::Result<[Row; 2]> {
        let program = self.binaries.path("bare-calls")?;
        let calls = self.scratch.join("calls");
        fs::write(&calls, state.calls(file)?)?;
        self.same_tree(generator, &program, &calls)?;
        let (ours, theirs) = in_turn(
            self.runs.max(CALLS_RUNS),
            || self.generator(generator),
            || self.in_empty(|output| success(Command::new(&program).arg(&calls).arg(output))),
        )?;
        let what = format!("`{generator}`, {} tenants", thousands(count));
        let name = "bare system calls";
        let cpu = |usage: &Usage| usage.cpu;
        Ok([
            Row::beside(&what, ours.wall()?, name, theirs.wall()?).promised(Target::Ratio(1.2)),
            Row::beside(
                format!("{what}: processor time"),
                ours.median(cpu)?,
                name,
                theirs.median(cpu)?,
            ),
        ])
    }

    /// The comparison is worth something only if both leave the same.
    fn same_tree(&self, generator: &str, program: &Path, calls: &Path) -> anyhow::Result<()> {
        let path = self.binaries.path(generator)?;
        let trees = [
            self.in_empty(|output| {
                success(Command::new(&path).args([output; 3]))?;
                tree(output)
            })?,
            self.in_empty(|output| {
                success(Command::new(program).arg(calls).arg(output))?;
                tree(output)
            })?,
        ];
        anyhow::ensure!(
            trees[0] == trees[1] && !trees[0].is_empty(),
            "{generator} and the bare calls leave different trees"
        );
        Ok(())
    }

    /// Beside the shell generator of the requirements, which writes three units for each tenant.
    fn shell(&self, count: usize) -> anyhow::Result<Row> {
        let what = format!("`tenant-generator`, {} tenants", thousands(count));
        let name = "the requirements' shell generator";
        let (Some(bash), Some(_)) = (installed(&["bash"]), installed(&["jq"])) else {
            return Ok(Row::not_installed(what, format!("{name} (bash, jq)")));
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tenant-generator.sh");
        let (ours, theirs) = in_turn(
            3,
            || self.generator("tenant-generator"),
            || {
                self.in_empty(|output| {
                    let time = success(Command::new(&bash).arg(&script).arg(output))?;
                    let made = fs::read_dir(output)?.count();
                    anyhow::ensure!(made == 3 * count, "the shell generator made {made} units");
                    Ok(time)
                })
            },
        )?;
        Ok(Row::beside(what, ours.wall()?, name, theirs.wall()?))
    }

    /// Beside podman's generator on as many containers.
    fn quadlet(&self, count: usize) -> anyhow::Result<Row> {
        let what = format!("both generators, {} tenants", thousands(count));
        let name = format!("podman quadlet, {} containers", thousands(count));
        let Some(quadlet) = self.quadlet_program()? else {
            return Ok(Row::not_installed(what, name));
        };
        let units = self.scratch.join("quadlet");
        fs::create_dir_all(&units)?;
        for index in 0..count {
            let text =
                "[Container]\nImage=localhost/web:latest\n[Install]\nWantedBy=multi-user.target\n";
            fs::write(units.join(format!("web-{index:05}.container")), text)?;
        }
        let (ours, theirs) = in_turn(
            self.runs,
            || {
                let mut both = self.generator("tenant-generator")?;
                both.wall += self.generator("mount-generator")?.wall;
                Ok(both)
            },
            || {
                self.in_empty(|output| {
                    let mut command = Command::new(&quadlet[0]);
                    let command = command.args(&quadlet[1..]).args([output; 3]);
                    let time = success(command.env("QUADLET_UNIT_DIRS", &units))?;
                    let made = fs::read_dir(output)?.count();
                    anyhow::ensure!(made > count, "quadlet made {made} units");
                    Ok(time)
                })
            },
        )?;
        Ok(Row::beside(what, ours.wall()?, name, theirs.wall()?))
    }

    /// Podman's generator with what starts it: in a tree, the tree's own loader, so that nothing else is between.
    fn quadlet_program(&self) -> anyhow::Result<Option<Vec<PathBuf>>> {
        const QUADLET: &str = "usr/libexec/podman/quadlet";
        let Some(tree) = self.podman else {
            return Ok(installed(&[&format!("/{QUADLET}")]).map(|program| vec![program]));
        };
        for directory in fs::read_dir(tree.join("usr/lib"))? {
            let libraries = directory?.path();
            if !libraries.is_dir() {
                continue;
            }
            for file in fs::read_dir(&libraries)? {
                let file = file?;
                if file.file_name().to_string_lossy().starts_with("ld-linux") {
                    let option = PathBuf::from("--library-path");
                    let program = tree.join(QUADLET);
                    return Ok(Some(vec![file.path(), option, libraries, program]));
                }
            }
        }
        anyhow::bail!("{} has no loader", tree.display())
    }

    fn generator(&self, name: &str) -> anyhow::Result<Usage> {
        let path = self.binaries.path(name)?;
        self.in_empty(|output| success(Command::new(&path).args([output; 3])))
    }

    /// Calls `run` with an empty directory that is emptied again afterwards.
    fn in_empty<T>(&self, run: impl FnOnce(&Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let output = self.scratch.join("output");
        fs::create_dir(&output)?;
        let result = run(&output)?;
        fs::remove_dir_all(&output)?;
        Ok(result)
    }
}

/// Links below `directory`, by path.
fn tree(directory: &Path) -> anyhow::Result<BTreeMap<PathBuf, Option<PathBuf>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            let relative = path.strip_prefix(directory)?.to_path_buf();
            if path.is_symlink() {
                found.insert(relative, Some(fs::read_link(path)?));
            } else {
                found.insert(relative, None);
                open.push(path);
            }
        }
    }
    Ok(found)
}

fn thousands(count: usize) -> String {
    match (count / 1000, count % 1000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands},{rest:03}"),
    }
}
