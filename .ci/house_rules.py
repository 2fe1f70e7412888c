"""Rules of docs/architecture.md that a compiler does not know."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CRATES = ["api", "cli", "shared", "simulator", "worker"]
MAX_LINES = 600

# A crate's name in a path, and the places that may use it.
ONLY_IN = {
    r"\bsqlx::": ["shared/src/store/"],
    # Providers through the one door, addresses of users through the other.
    r"\breqwest::": ["shared/src/providers/http.rs", "shared/src/providers/authorization.rs",
                     "shared/src/providers/registry.rs", "shared/src/providers/vercel/", "shared/src/guarded/", "cli/src/",
                     "shared/src/github/http.rs"],
    r"\bapalis(_core)?::": ["worker/src/consumer/"],
    r"\bredis::(aio|cmd|pipe|Async|Client|RedisError|Script)": ["shared/src/queue/"],
    r"\bstd::env::": ["shared/src/config/"],
}
# Tests start it through the helper that holds requests against the vendor's description.
STAND_IN = r"\bVercel::(start|bind)\b"
STAND_IN_ONLY_IN = ["tests/src/stand_in/vercel.rs", "tests/benchmark/"]
NEVER = [r"\btodo!\(", r"\bunimplemented!\(", r"#\[ignore"]


def main() -> int:
    problems = []
    for crate in CRATES:
        for path in sorted((ROOT / crate / "src").rglob("*.rs")):
            name = path.relative_to(ROOT).as_posix()
            text = path.read_text()
            code = "\n".join(line.split("//")[0] for line in text.splitlines())
            if text.count("\n") > MAX_LINES:
                problems.append(f"{name}: {text.count(chr(10))} lines, more than {MAX_LINES}")
            for pattern, places in ONLY_IN.items():
                if re.search(pattern, code) and not any(name.startswith(p) for p in places):
                    problems.append(f"{name}: {pattern} belongs in {', '.join(places)}")
            problems += [f"{name}: {p}" for p in NEVER if re.search(p, code)]
    for path in sorted([*(ROOT / "tests").rglob("*.rs"), *(ROOT / "cli/tests").rglob("*.rs")]):
        name = path.relative_to(ROOT).as_posix()
        if re.search(STAND_IN, path.read_text()) and not any(map(name.startswith, STAND_IN_ONLY_IN)):
            problems.append(f"{name}: start the stand-in as keyway_tests::stand_in::StandIn")
    for crate, other in [("api", "worker"), ("worker", "api"), ("shared", "api"),
                         ("shared", "worker"), ("simulator", "shared")]:
        if f"keyway-{other}" in (ROOT / crate / "Cargo.toml").read_text():
            problems.append(f"{crate} must not depend on {other}")
    names = [sorted(p.name for p in (ROOT / "migrations" / db).iterdir())
             for db in ("postgres", "sqlite")]
    if names[0] != names[1]:
        problems.append("the two migration folders do not have the same files")
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
