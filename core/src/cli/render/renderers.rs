//! What the renderers make of drawings: Graphviz itself, and Mermaid itself in a browser without a window. Without them a
//! test says so and passes; with `SERVICEMAP_REQUIRE_ALL` it fails.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

/// Whether `what` is missing on this machine; a failure where everything is required.
fn is_missing(what: &str, found: bool) -> bool {
    if !found {
        let why = format!("`{what}` is not here: run `make tools`");
        assert!(std::env::var_os("SERVICEMAP_REQUIRE_ALL").is_none(), "{why}");
        #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
        {
            eprintln!("SKIPPED a test of drawings: {why}");
        }
    }
    !found
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// What `dot` makes of `graph` in `format`; it must have nothing to say about it.
pub(super) fn graphviz(graph: &str, format: &str) -> Option<String> {
    if is_missing("dot", is_program("dot")) {
        return None;
    }
    let mut dot = Command::new("dot");
    dot.arg(format!("-T{format}")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut dot = dot.spawn().unwrap();
    let mut input = dot.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(graph.as_bytes()).unwrap());
        dot.wait_with_output().unwrap()
    });
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}\n{graph}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What Mermaid drew, read back from the page.
#[derive(Debug, Deserialize)]
pub(super) struct Picture {
    /// What it had to say instead of drawing.
    pub(super) error: Option<String>,
    pub(super) title: String,
    /// Text of each node, line by line.
    pub(super) nodes: Vec<String>,
    /// Text on each frame.
    pub(super) frames: Vec<String>,
    /// Text of each arrow, line by line.
    pub(super) arrows: Vec<String>,
    /// Elements that a label must never bring along.
    pub(super) foreign: usize,
}

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><body><script src="MERMAID"></script><script>
const documents = DOCUMENTS;
const lines = element => { element.querySelectorAll('br').forEach(br => br.replaceWith('\n')); return element.textContent.trim(); };
const all = (svg, selector) => Array.from(svg.querySelectorAll(selector), lines);
async function draw(text, index) {
  const picture = { error: null, title: '', nodes: [], frames: [], arrows: [], foreign: 0 };
  try {
    const { svg } = await mermaid.render('picture' + index, text);
    const holder = document.createElement('div');
    holder.innerHTML = svg;
    const drawn = holder.querySelector('svg');
    picture.title = drawn.querySelector('.flowchartTitleText')?.textContent ?? '';
    picture.foreign = drawn.querySelectorAll('b, script, img, a, code, em, strong, ul, ol').length;
    picture.nodes = all(drawn, '.node .nodeLabel');
    picture.frames = all(drawn, '.cluster .nodeLabel');
    picture.arrows = all(drawn, '.edgeLabels .edgeLabel:has(span)').filter(text => text !== '');
  } catch (error) {
    picture.error = String(error.message ?? error);
  }
  return picture;
}
mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' });
(async () => {
  const pictures = [];
  for (const [index, text] of documents.entries()) pictures.push(await draw(text, index));
  const escaped = JSON.stringify(pictures).replace(/[&<>\u00a0]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
  document.body.innerHTML = '<pre id="pictures"></pre>';
  document.getElementById('pictures').textContent = escaped;
})();
</script>"#;

/// What Mermaid makes of each of `documents`, with the limits that a page such as GitHub's has.
pub(super) fn mermaid(documents: &[String]) -> Option<Vec<Picture>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/mermaid.min.js");
    if is_missing("chromium", is_program("chromium")) || is_missing("target/mermaid.min.js", script.is_file())
    {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    // Inside a script element nothing may look like its end.
    let documents = json!(documents).to_string().replace('<', "\\u003c");
    let script = script.canonicalize().unwrap();
    let text = PAGE.replace("MERMAID", &script.display().to_string()).replace("DOCUMENTS", &documents);
    std::fs::write(&page, text).unwrap();
    let dom = browse(&page, directory.path());
    let pictures = dom.split_once("<pre id=\"pictures\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (pictures, _) = pictures.unwrap_or_else(|| panic!("the page did not get to its end: {dom:.2000}"));
    Some(serde_json::from_str(pictures).unwrap())
}

/// The page's elements once it has nothing left to do.
fn browse(page: &Path, profile: &Path) -> String {
    let mut profile_flag = std::ffi::OsString::from("--user-data-dir=");
    profile_flag.push(profile.join("profile"));
    let url: PathBuf = page.to_owned();
    let output = Command::new("chromium")
        // Root, as CI is, has no sandbox; the time is the page's own, which waits for its work.
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--virtual-time-budget=100000",
        ])
        .args([profile_flag.as_os_str(), "--dump-dom".as_ref(), url.as_os_str()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
