//! Command line of the image builder.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use image_builder::board::Boards;
use image_builder::build::{self, Archive, Error, Request, Sources};
use image_builder::packages::lock::Architecture;
use image_builder::packages::store::Strictness;
use image_builder::progress::Progress;

/// Builds Coracle slots and disk images without root.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Repository with board-configs and image-builder; this builder's own by default.
    #[arg(long, global = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."), hide_default_value = true)]
    tree: PathBuf,
    /// Package cache; `coracle/packages` in the user's cache directory by default.
    #[arg(long, global = true)]
    cache: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build OUT/BOARD/{disk.raw,disk.qcow2,slot.img,slot.footer,manifest.toml}.
    Build {
        /// Name of a file in board-configs, without `.toml`.
        #[arg(long)]
        board: String,
        /// The coracle-init executable for the board's architecture.
        #[arg(long)]
        init: PathBuf,
        /// The coracle executable for the board's architecture.
        #[arg(long)]
        coracle: PathBuf,
        /// Output directory.
        #[arg(long)]
        out: PathBuf,
        /// Key directory; `coracle/keys` in the user's data directory by default, made on first use.
        #[arg(long)]
        keys: Option<PathBuf>,
        /// Use the package cache alone.
        #[arg(long)]
        offline: bool,
        /// Stop where a development build would warn; needs --keys with keys that are no development keys.
        #[arg(long, requires = "keys")]
        release: bool,
        /// Move the clock of the tools, for tests: `+3d`.
        #[arg(long, hide = true)]
        tool_clock: Option<String>,
    },
    /// Fill the package cache for a board.
    Fetch {
        /// Name of a file in board-configs, without `.toml`.
        #[arg(long)]
        board: String,
    },
    /// Take a program that tests run out of its locked package.
    Extract {
        /// Name of the package.
        #[arg(long)]
        package: String,
        /// Path of the program in the package.
        #[arg(long)]
        program: String,
        /// The file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Write an OCI layout of all container images, those of the tests too.
    Images {
        /// Debian's name of the architecture; this host's by default.
        #[arg(long, value_parser = ["amd64", "arm64"])]
        architecture: Option<String>,
        /// The directory to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// The package lock.
    Lock {
        /// Make the archive's current packages the lock.
        #[arg(long)]
        update: bool,
        /// Lock only what the lock lacks, and drop what nothing asks for any more.
        #[arg(long, required_unless_present = "update", conflicts_with = "update")]
        add: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image-builder: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Error> {
    let sources = Sources::new(&arguments.tree);
    let cache = arguments.cache.unwrap_or_else(|| user_directory("XDG_CACHE_HOME", ".cache").join("coracle/packages"));
    let progress = Progress::shown();
    match arguments.command {
        Command::Build { board, init, coracle, out, keys, offline, release, tool_clock } => {
            let keys = keys.unwrap_or_else(|| user_directory("XDG_DATA_HOME", ".local/share").join("coracle/keys"));
            let strictness = if release { Strictness::Release } else { Strictness::Development };
            let request = Request {
                board: &board,
                init: &init,
                coracle: &coracle,
                keys: &keys,
                out: &out,
                archive: Archive { cache, offline, strictness },
                tool_clock: tool_clock.as_deref(),
            };
            let manifest = build::build(&sources, &request, &progress)?;
            println!("{}: kernel {}, {} modules", manifest.board, manifest.kernel, manifest.module_count);
            println!("{}  signed by {} key {}", manifest.sizes, manifest.key_role, manifest.key_id);
            println!("  {}", out.join(&board).display());
        }
        Command::Fetch { board } => {
            let boards = Boards::load(&sources.boards())?;
            let archive = Archive { cache, offline: false, strictness: Strictness::Development };
            let store = build::fetch(&sources, boards.find(&board)?, &archive, true, &progress)?;
            println!("{board}: {} packages", store.entries().count());
        }
        Command::Extract { package, program, out } => {
            let archive = Archive { cache, offline: false, strictness: Strictness::Development };
            build::extract(&sources, (&package, &program), &archive, &out, &progress)?;
        }
        Command::Images { architecture, out } => {
            let machine = match architecture.as_deref() {
                Some("amd64") => Architecture::Amd64,
                Some("arm64") => Architecture::Arm64,
                _ => Architecture::host(),
            };
            let archive = Archive { cache, offline: false, strictness: Strictness::Development };
            for name in build::write_images(&sources, machine, &archive, &out, &progress)? {
                println!("{name}");
            }
        }
        Command::Lock { update: _, add } => {
            let lock = build::update_lock(&sources, &cache, add, &progress)?;
            println!("{}: {} packages", sources.lock().display(), lock.entries().count());
        }
    }
    Ok(())
}

/// The user's directory of a kind, by the XDG rules.
fn user_directory(variable: &str, below_home: &str) -> PathBuf {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.unwrap_or_else(|| {
        std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from).join(below_home)
    })
}
