package tapio

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFileInTheREADMERegistersTheObserver builds what a tapio tree becomes by following README.md: tapio is the main
// module there, this module is required by it, and the file of the README is in the tree.
func TestFileInTheREADMERegistersTheObserver(t *testing.T) {
	tree := t.TempDir()
	for _, from := range []string{"internal/contract", "testdata/tree"} {
		if err := os.CopyFS(tree, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(tree, "internal/observers/servicemap/register.go"), codeBlock(t, "README.md", "go"))
	// What is required and its sums are the same as here: nothing has to be fetched.
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(tree, "go.sum"), string(sums))
	run(t, tree, "go", "mod", "edit",
		"-require=github.com/servicemap/servicemap/go/tapio@v0.0.0",
		"-replace=github.com/servicemap/servicemap/go/tapio="+here,
		"-require=github.com/servicemap/servicemap/go@v0.0.0",
		"-replace=github.com/servicemap/servicemap/go="+filepath.Dir(here))
	run(t, tree, "go", "test", "-mod=mod", "./internal/...")
}

// codeBlock is the first fenced block of a language.
func codeBlock(t *testing.T, file, language string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```"+language+"\n")
	block, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatalf("%s has no block of %s", file, language)
	}
	return block
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, directory, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Dir = directory
	// As for somebody who has no part in this repository; the proxy is not asked.
	command.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, output)
	}
}
