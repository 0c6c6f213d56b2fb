//! The configuration of a device: sources of this boot, generations of STATE, and what holds.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use coracle_contract::paths;

use crate::generations::{Active, Condition, Document, New, Reason, files, plan};
use crate::{MOST_BYTES, MachineConfiguration, Origin};

/// Where it all lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Copies of the sources of this boot, a file a source.
    pub seed: PathBuf,
    /// Generations.
    pub generations: PathBuf,
    /// Facts of this boot, in which PID 1 says of each source what it found (`seed-NAME=STATUS`).
    pub facts: PathBuf,
}

/// The configuration that holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What it says. Without any right configuration everything has its default.
    pub configuration: MachineConfiguration,
    /// Number of its generation, if it is of one.
    pub generation: Option<u64>,
    /// Name of its source, if it has one.
    pub source: Option<String>,
    /// What somebody should know, the reasons [`Reason::name`] with sentences; none is a reason not to start.
    pub problems: Vec<Condition>,
}

impl Folders {
    /// The places of a device.
    #[must_use]
    pub fn of_device() -> Self {
        Self { seed: paths::SEED.into(), generations: paths::CONFIG.into(), facts: paths::BOOT_FACTS.into() }
    }
}

/// Takes the sources of this boot, keeps what is new as generations and says what holds. Never fails: whatever is wrong
/// stands in [`Loaded::problems`], and the last right configuration holds.
#[must_use]
pub fn load(folders: &Folders) -> Loaded {
    let mut problems = Vec::new();
    let mut documents = Vec::new();
    let facts = read(&folders.facts).ok().flatten().unwrap_or_default();
    for source in Origin::OF_DEVICE {
        match read(&folders.seed.join(source.name())) {
            Ok(Some(bytes)) => documents.push(Document { source, bytes }),
            Ok(None) => problems.extend(unread(&facts, source)),
            Err(error) => {
                let message = format!("{}: {error}", source.name());
                problems.push(Condition { reason: Reason::Unreadable, message });
            }
        }
    }
    let listed = files::read(&folders.generations);
    let actions = plan(&documents, listed.as_deref().unwrap_or_default());
    problems.extend(actions.conditions);
    match listed {
        Ok(_) => problems.extend(store(&folders.generations, &actions.store, &actions.remove)),
        // Its numbers are not known, so nothing is written that could stand in the place of something.
        Err(error) => {
            let message = format!("the generations cannot be listed: {error}");
            problems.push(Condition { reason: Reason::Unreadable, message });
        }
    }
    let mut loaded = Loaded { problems, ..Loaded::default() };
    if let Some(Active { number, source, configuration }) = actions.active {
        loaded.configuration = configuration;
        loaded.generation = Some(number);
        loaded.source = Some(source);
    }
    loaded
}

/// Writes the new before it removes the old.
fn store(folder: &Path, store: &[New], remove: &[u64]) -> Option<Condition> {
    for new in store {
        if let Err(error) = files::write(folder, new) {
            let message =
                format!("generation {} from {} is used, but not kept: {error}", new.number, new.generation.source);
            return Some(Condition { reason: Reason::NotStored, message });
        }
    }
    let failed = remove.iter().filter_map(|number| files::remove(folder, *number).err()).next()?;
    let message = format!("an old generation cannot be removed: {failed}");
    Some(Condition { reason: Reason::NotStored, message })
}

/// What PID 1 said about a source that it did not copy, unless there is none.
fn unread(facts: &[u8], source: Origin) -> Option<Condition> {
    let facts = String::from_utf8_lossy(facts);
    let status =
        facts.lines().find_map(|line| line.strip_prefix("seed-")?.strip_prefix(source.name())?.strip_prefix('='))?;
    let text = match status {
        "absent" => return None,
        "ambiguous" => "several volumes have different documents, and none of them is taken",
        "too-large" => "the document is larger than 1 MiB",
        _ => "the document cannot be read; the console says why",
    };
    Some(Condition { reason: Reason::Unreadable, message: format!("{}: {text}", source.name()) })
}

/// A whole file, if it is there. One that is too large is cut behind the limit, which the parser then tells.
fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take((MOST_BYTES as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Device {
        _root: tempfile::TempDir,
        folders: Folders,
    }

    impl Device {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let folders = Folders {
                seed: root.path().join("seed"),
                generations: root.path().join("config"),
                facts: root.path().join("boot"),
            };
            fs::create_dir(&folders.seed).unwrap();
            fs::create_dir(&folders.generations).unwrap();
            Self { _root: root, folders }
        }

        fn seed(&self, source: &str, text: &str) {
            fs::write(self.folders.seed.join(source), text).unwrap();
        }

        /// One boot: generation and node's name, and the problems with their reasons.
        fn boot(&self) -> (Option<u64>, Option<String>, Vec<String>) {
            let loaded = load(&self.folders);
            let problems = loaded.problems.iter().map(|problem| format!("{} {}", problem.reason, problem.message));
            (loaded.generation, loaded.configuration.node_name, problems.collect())
        }

        fn files(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(&self.folders.generations)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    fn name(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_device_over_several_boots() {
        let device = Device::new();
        assert_eq!(device.boot(), (None, None, vec![]));
        device.seed("esp", "node-name: one\n");
        assert_eq!(device.boot(), (Some(1), name("one"), vec![]));
        assert_eq!(device.boot(), (Some(1), name("one"), vec![]), "the same document is no new generation");
        device.seed("nocloud", "#coracle-config\nnode-name: two\n");
        assert_eq!(device.boot(), (Some(2), name("two"), vec![]));
        device.seed("nocloud", "node-name: three\n");
        let wrong = "ConfigInvalid nocloud: line 1: the first line of user-data must be #coracle-config";
        for _ in 0..2 {
            assert_eq!(device.boot(), (Some(2), name("two"), vec![wrong.to_owned()]));
        }
        fs::remove_file(device.folders.seed.join("nocloud")).unwrap();
        assert_eq!(device.boot(), (Some(2), name("two"), vec![]), "a source that is gone changes nothing");
        for number in 3..9 {
            device.seed("esp", &format!("node-name: n{number}\n"));
            assert_eq!(device.boot(), (Some(number), Some(format!("n{number}")), vec![]));
        }
        assert_eq!(device.files(), ["0000000002", "0000000005", "0000000006", "0000000007", "0000000008"]);
        fs::write(device.folders.generations.join("0000000008"), "cut").unwrap();
        fs::remove_file(device.folders.seed.join("esp")).unwrap();
        assert_eq!(device.boot(), (Some(7), name("n7"), vec!["ConfigInvalid generation 8 is damaged".to_owned()]));
    }

    #[test]
    fn a_configuration_that_cannot_be_kept_is_used() {
        let device = Device::new();
        fs::remove_dir(&device.folders.generations).unwrap();
        device.seed("esp", "node-name: one\n");
        let (generation, found, problems) = device.boot();
        assert_eq!((generation, found), (Some(1), name("one")));
        assert!(
            problems[0].starts_with("ConfigNotStored generation 1 from esp is used, but not kept: "),
            "{problems:?}"
        );
        fs::write(&device.folders.generations, "no folder").unwrap();
        let (_, found, problems) = device.boot();
        assert_eq!((found, problems.len()), (name("one"), 1));
        assert!(problems[0].starts_with("ConfigUnreadable the generations cannot be listed"), "{problems:?}");
    }

    #[test]
    fn what_could_not_be_copied_is_told() {
        let device = Device::new();
        fs::write(&device.folders.facts, "slot=a\nseed-esp=absent\nseed-nocloud=unreadable\n").unwrap();
        let want = "ConfigUnreadable nocloud: the document cannot be read; the console says why";
        assert_eq!(device.boot(), (None, None, vec![want.to_owned()]));
        fs::write(&device.folders.facts, "seed-esp=too-large\nseed-nocloud=ambiguous\n").unwrap();
        assert_eq!(device.boot().2.len(), 2);
        device.seed("esp", &"#".repeat(MOST_BYTES + 7));
        let problem = &device.boot().2[1];
        assert!(problem.contains("esp: line 1: 1048577 bytes are more than"), "{problem}");
    }
}
