//! Where the program of a channel is found: wherever the monitor was started.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::binary::{Site, text};
use crate::world::Signer;

/// A site whose channel is this program, which writes its input to a file beside itself.
fn site(command: &str, program: &str) -> Site {
    let site = Site::new();
    site.log.grow([Signer::Mail.signs(0)]);
    let config = site.path().join("modelwatch.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    let written = written.replace(
        "[\"sh\", \"alert.sh\"]",
        &format!("[{command:?}, \"an argument\"]"),
    );
    std::fs::write(config, written).unwrap();
    let program = site.path().join(program);
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    let script = "#!/bin/sh\ncat > \"$(dirname \"$0\")/alert\"\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    site
}

/// A pass that is started in another directory, as by cron.
fn pass_elsewhere(site: &Site, path: &Path) -> String {
    let elsewhere = tempfile::tempdir().unwrap();
    let config = site.path().join("modelwatch.toml");
    let ended = site
        .command(&["monitor", "--once", "--config"])
        .arg(config)
        .current_dir(elsewhere.path())
        .env(
            "PATH",
            format!("{}:{}", path.display(), std::env::var("PATH").unwrap()),
        )
        .output()
        .unwrap();
    let stderr = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    stderr
}

#[test]
fn a_program_with_a_slash_is_found_beside_the_configuration_wherever_it_is_started() {
    for (command, program) in [
        ("./tell", "tell"),
        ("bin/tell", "bin/tell"),
        ("./bin/../tell", "tell"),
    ] {
        let site = site(command, program);
        // The directory of the last one has to be there.
        std::fs::create_dir_all(site.path().join("bin")).unwrap();
        let stderr = pass_elsewhere(&site, Path::new("/nonexistent"));
        let sent = site.path().join(program).with_file_name("alert");
        assert!(sent.exists(), "{command}: {stderr}");
        assert!(stderr.ends_with("\"undelivered\":0}\n"), "{stderr}");
    }
}

#[test]
fn a_program_with_a_whole_path_is_that_one() {
    let site = site("replaced", "tell");
    let config = site.path().join("modelwatch.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    let program = site.path().join("tell");
    let written = written.replace("\"replaced\"", &format!("{:?}", program.to_str().unwrap()));
    std::fs::write(config, written).unwrap();
    pass_elsewhere(&site, Path::new("/nonexistent"));
    assert!(site.path().join("alert").exists());
}

#[test]
fn a_program_without_a_slash_is_looked_for_in_the_path_and_not_beside_the_configuration() {
    let site = site("tell-someone", "bin/tell-someone");
    pass_elsewhere(&site, &site.path().join("bin"));
    assert!(site.path().join("bin/alert").exists());

    let beside = self::site("tell-someone", "tell-someone");
    let stderr = pass_elsewhere(&beside, Path::new("/nonexistent"));
    assert!(!beside.path().join("alert").exists());
    assert!(stderr.contains("\"undelivered\":"), "{stderr}");
    let status = text(&beside.run(&["status"]).stdout);
    assert!(status.contains("tell-someone cannot be run"), "{status}");
}
