//! The guide holds together: every page is in its contents, and every link leads somewhere.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// All pages of the repository.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() && !name.starts_with('.') && !matches!(name.as_str(), "target" | "node_modules") {
                folders.push(path);
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// A page without what stands in code, where brackets mean something else.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    let spans = lines.map(|line| line.split('`').step_by(2).collect::<Vec<_>>().join("code"));
    spans.collect::<Vec<_>>().join("\n")
}

/// The targets of a page's links.
fn links(prose: &str) -> Vec<&str> {
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

/// The name under which a browser finds a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(&line.trim_start_matches('#').replace('`', "")))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for link in
            links(&prose(&text)).into_iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        {
            // A crate's page may name its own items, as rustdoc does.
            let item = !link.contains(['/', '.', '#']) && page.ends_with("README.md");
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name("").join(file) };
            let there = item || target.exists();
            let found =
                fragment.is_empty() || fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(fragment));
            if !there || !found {
                broken.push(format!("{}: {link}", page.strip_prefix(root()).unwrap_or(&page).display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_page_of_the_guide_is_in_its_contents() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).expect("the contents");
    let links = links(&summary);
    let listed: BTreeSet<_> = links.iter().map(|link| docs.join(link)).collect();
    assert_eq!(links.len(), listed.len(), "mdBook takes each page once: {links:#?}");
    let pages: BTreeSet<_> =
        pages().into_iter().filter(|page| page.starts_with(&docs) && !page.ends_with("SUMMARY.md")).collect();
    assert_eq!(listed, pages);
}

/// What the pages tell people to write is a configuration.
#[test]
fn the_configurations_of_the_guide_are_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut checked = 0;
    for page in pages().into_iter().filter(|page| page.starts_with(root().join("docs"))) {
        let text = fs::read_to_string(&page).expect("a page");
        for block in text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            if !block.starts_with("_format_version") {
                continue;
            }
            let file = folder.path().join("kong.yml");
            fs::write(&file, block).expect("a file");
            let output = towergate_tests::run(&["check", file.to_str().expect("a path in Unicode")]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{}: {said}", page.display());
            checked += 1;
        }
    }
    assert!(checked >= 4, "{checked}");
}
