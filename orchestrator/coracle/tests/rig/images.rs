//! The images of the tests: this executable as the only program.

use std::fs;
use std::path::Path;

use coracle_image_layout::{Builder, Entry, ImageConfig};

/// Writes a layout with `localhost/hello:1` and `:2`, which differ in the page that they serve, into `images`.
pub(crate) fn write(folder: &Path) {
    let program = fs::read("/proc/self/exe").unwrap();
    let mut builder = Builder::new();
    for tag in ["1", "2"] {
        let config = ImageConfig {
            env: vec!["PATH=/bin".to_owned(), "FROM_IMAGE=yes".to_owned()],
            entrypoint: vec!["payload".to_owned()],
            cmd: ["serve", "8080", "/www"].map(str::to_owned).to_vec(),
            ..ImageConfig::default()
        };
        let mut entries: Vec<Entry> = ["bin", "etc", "tmp", "www", "proc", "dev", "sys"].map(Entry::directory).into();
        entries.push(Entry::file("etc/passwd", "root:x:0:0::/:/\nuser:x:1000:1000::/:/\n"));
        entries.push(Entry::file("etc/group", "root:x:0:\nuser:x:1000:\n"));
        entries.push(Entry::file("www/index.html", format!("hello {tag}\n")));
        let layers = [vec![Entry::directory("bin"), Entry::program("bin/payload", program.clone())], entries];
        builder.image(&format!("localhost/hello:{tag}"), &coracle_images::image::native(), config, &layers).unwrap();
    }
    builder.write(&folder.join("images")).unwrap();
}
