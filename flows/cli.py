"""`assay`: the command line, and the only reader of it and of the environment.

Exit codes: 0 done; 1 an error that nothing below names; 2 a study or a command line that makes no sense, nothing was
started, but for the recipe of a candidate that turns out too small; 3 data that cannot be used; 4 an engine failed; 5
the machine failed, run it again; 6 a result is missing or does not belong; 7 a budget is spent; 130 interrupted.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tasks.core.errors import AssayError, InfrastructureError

app = typer.Typer(
    name="assay",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Say whether a dataset makes a language model better at math without making it worse at anything else.",
    epilog="Exit codes: 0 done, 2 the study makes no sense, 3 unusable data, 4 an engine failed, 5 the machine failed "
    "(run it again), 6 a result is missing or does not belong, 7 a budget is spent, 130 interrupted.",
)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study's file.", show_default=False)]
RuntimeFile = Annotated[
    Path | None, typer.Option("--runtime", help="A YAML file of runtime settings: workers, GPUs, paths, tracker.")
]
StoreFolder = Annotated[
    Path | None, typer.Option("--store", envvar="ASSAY_STORE", help="The store's folder, in place of the runtime's.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@app.command()
def run(
    study: StudyFile,
    runtime: RuntimeFile = None,
    store: StoreFolder = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Run a study that the plan finds hopeless, or too large for its devices.")
    ] = False,
    until_clear: Annotated[
        bool, typer.Option("--until-clear", help="Add seeds a round at a time, and stop where the verdicts are clear.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Carry out a study, or what is left of it, and print its verdicts."""
    from flows.study import load_study

    declared, settings = load_study(study), _runtime(runtime, store)
    if anyway:
        settings = settings.model_copy(update={"plan": settings.plan.model_copy(update={"anyway": True})})
    if until_clear:
        from flows.until_clear import assess_until_clear as carry_out
    else:
        from flows.assess import assess as carry_out
    carry_out(declared, settings)
    _print_study(settings.store, declared.name, as_json)


@app.command()
def make(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="The recipe's file.", show_default=False)],
    runtime: RuntimeFile = None,
    store: StoreFolder = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Also write the dataset as JSONL, one chat or text a line.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a dataset by a recipe, or what is left of it, and print what each step kept, dropped and cost."""
    from flows.orders import load_order

    declared, settings = load_order(recipe), _runtime(runtime, store)
    from flows.funnel import funnel
    from flows.make import find_or_make
    from flows.retention import judgings
    from flows.tables import funnel_table, retention_table
    from tasks.core.store import Store

    ref = find_or_make(declared, settings)
    kept = Store(settings.store)
    if to is not None:
        from flows.export import export

        export(kept, ref, to)
    steps, judged = funnel(kept, ref), judgings(kept, ref)
    if as_json:
        told = {"steps": [step.model_dump() for step in steps], "judged": [one.model_dump() for one in judged]}
        _print_json({"name": declared.name, "folder": str(kept.folder(ref)), **told})
    else:
        out.print(funnel_table(declared.name, steps), *map(retention_table, judged))
        out.print(f"dataset  {to or kept.folder(ref)}", soft_wrap=True)


@app.command()
def plan(study: StudyFile, runtime: RuntimeFile = None, store: StoreFolder = None, as_json: AsJson = False) -> None:
    """Show what a study would do, what it can show, cost and need, and what is cached. Starts nothing."""
    from flows.plan_tables import plan_view
    from flows.planning import plan as plan_study
    from flows.study import load_study
    from flows.work import prepare

    found = plan_study(prepare(load_study(study), _runtime(runtime, store)))
    if as_json:
        _print_json(found.for_scripts())
    else:
        out.print(plan_view(found))


@app.command()
def show(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A finished study's name.", show_default=False)],
    runtime: RuntimeFile = None,
    store: StoreFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show a finished study: its verdicts, deltas, cost and where its report is."""
    _print_study(_runtime(runtime, store).store, study, as_json)


@app.command()
def trace(
    row_id: Annotated[str, typer.Argument(metavar="ROW_ID", help="A row's id, whole.", show_default=False)],
    runtime: RuntimeFile = None,
    store: StoreFolder = None,
    as_json: AsJson = False,
) -> None:
    """Tell one row's whole way: where it was read, packed, trained on, and what came of it."""
    from flows.tables import trace_table
    from flows.trace import trace as trace_row
    from tasks.core.store import Store

    events = trace_row(Store(_runtime(runtime, store).store), row_id)
    if as_json:
        _print_json([event.model_dump() for event in events])
    else:
        out.print(trace_table(events))


@app.command()
def doctor(runtime: RuntimeFile = None, as_json: AsJson = False) -> None:
    """Probe each engine: its version, its device, whether it works, and the remedy where it does not."""
    from flows.doctor import examine
    from flows.tables import doctor_table

    settings = _runtime(runtime, None)
    err.print("probing each engine in a process of its own; a minute or two in all")
    findings = list(examine(settings))
    if as_json:
        _print_json([finding.model_dump() for finding in findings])
    else:
        out.print(doctor_table(findings))
    if not all(finding.works for finding in findings):
        raise typer.Exit(4)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo's study, data and base model go.")] = Path("demo"),
    runtime: RuntimeFile = None,
    store: StoreFolder = None,
    as_json: AsJson = False,
) -> None:
    """Train a tiny model on the spot and carry out the quick-start study on it, all engines real."""
    from flows.assess import assess
    from flows.quickstart import SHIPPED, quickstart

    settings = _runtime(runtime or SHIPPED / "runtime.yaml", store)
    study = quickstart(folder, settings)
    assess(study, settings)
    _print_study(settings.store, study.name, as_json)


@app.command()
def compare(
    control: Annotated[
        list[Path], typer.Option("--control", help="The control's results; again for each further seed.")
    ],
    candidate: Annotated[
        list[Path], typer.Option("--candidate", help="A candidate's results: as many paths as the control has.")
    ],
    domain: Annotated[
        list[str] | None,
        typer.Option(
            "--domain", help="NAME=DOMAIN of a benchmark that nobody knows: math, knowledge, reasoning or coding."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Also write the report into this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare results that you have: OpenCompass's, lm-evaluation-harness's, or JSON lines of right and wrong."""
    from flows.comparing import as_json as for_scripts
    from flows.comparing import compare_results, parse_domains, write_report
    from flows.tables import comparison_table

    compared = compare_results(control, candidate, parse_domains(domain or ()))
    page = None if report is None else write_report(compared, report)
    if as_json:
        _print_json(for_scripts(compared, page))
        return
    out.print(comparison_table(compared.name, compared.comparison))
    for one in compared.inputs:
        out.print(f"read  {escape(one.arm)}: {one.format}, {escape(', '.join(one.paths))}", soft_wrap=True)
    for note in compared.notes:
        out.print(f"note  {escape(note)}", soft_wrap=True)
    if page is not None:
        out.print(f"report  {page}", soft_wrap=True)


@app.command()
def audit(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE.csv",
            help="A CSV with the columns table, dataset, benchmark, score and delta, in percent.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Check a printed table of scores and deltas by its own numbers: baselines, misprints, chance."""
    from flows.audit_tables import audit_tables
    from flows.auditing import audit_file

    found = audit_file(table)
    if as_json:
        _print_json(found.model_dump(mode="json"))
    else:
        out.print(audit_tables(found))


@app.command()
def judge(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", help="Answers, a JSON object a line.", show_default=False)
    ],
    gold: Annotated[str, typer.Option(help="The field with the reference answer.", show_default=False)],
    answer: Annotated[str, typer.Option(help="The field with the output, or a list of outputs.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say of every answer in a file whether it is right, with the evidence, and the totals."""
    from flows.judge_tables import verdict_line
    from flows.judging import JudgedAnswer, judge_file, totals

    results = []
    for result in judge_file(file, gold, answer):
        results.append(result)
        if not as_json:
            out.print(verdict_line(result), soft_wrap=True)
    counts = totals(results).model_dump()
    if as_json:
        rows, bad = ([r.model_dump() for r in results if isinstance(r, JudgedAnswer) == good] for good in (True, False))
        _print_json({"rows": rows, "bad_rows": bad, "totals": counts})
    else:
        out.print("  ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items()))


@app.command()
def review(
    verdicts: Annotated[
        Path,
        typer.Argument(help="An artifact of verdicts, or what `assay judge --json` printed.", show_default=False),
    ],
    sample: Annotated[int, typer.Option(min=1, help="How many answers of each verdict to look at.")] = 200,
    csv: Annotated[Path | None, typer.Option(help="Write the sample as a CSV to label elsewhere, and stop.")] = None,
    labels: Annotated[Path, typer.Option(help="The file of labels: read, and added to.")] = Path("labels.csv"),
    seed: Annotated[int, typer.Option(min=0, help="Which sample.")] = 0,
    store: StoreFolder = None,
    as_json: AsJson = False,
) -> None:
    """Label a sample of verdicts, and print the filter's precision and recall with 95 % intervals."""
    from flows.judge_tables import quality_table
    from flows.reviewing import ask_labels, draw_sample, read_labels, write_sheet
    from tasks.judge.review import quality

    source = verdicts if verdicts.exists() else _runtime(None, store).store / verdicts
    drawn = draw_sample(source, sample, seed)
    if csv is not None:
        write_sheet(csv, drawn)
        err.print(f"{len(drawn.rows)} answers are in {csv}: fill in `label` with y or n, then give it as --labels")
        return
    asking = sys.stdin.isatty() and not as_json
    found = quality(drawn, ask_labels(drawn, labels, _ask_label) if asking else read_labels(labels, drawn))
    if as_json:
        _print_json(found.model_dump())
    else:
        out.print(quality_table(found))


def main() -> None:
    """Run `assay`; every error of its own is printed with its remedy and ends in its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal's encoding lacks is written out, and ends nothing
            stream.reconfigure(errors="backslashreplace")
    try:
        _engine_defaults()
        app()
    except AssayError as error:
        err.print(f"[bold red]{type(error).__name__}[/] {escape(error.message)}", soft_wrap=True)
        if error.remedy:
            err.print(f"[bold]remedy[/] {escape(error.remedy)}", soft_wrap=True)
        sys.exit(error.exit_code)


def _runtime(path: Path | None, store: Path | None) -> Any:
    from flows.study import load_runtime

    settings = load_runtime(path)
    return settings.model_copy(update={"store": store}) if store else settings


def _leave(number: int, _: object) -> None:
    """Leave at once. A kill loses nothing here, while engines that are asked to end nicely take minutes or hang.

    A Ctrl-C reaches Prefect's private server too, and its client would then wait for it in vain.
    """
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    err.print("[bold]interrupted[/] what is done is kept; run the same command again to go on")
    os._exit(128 + number)


def _engine_defaults() -> None:
    """Quiet logs, no telemetry, and time to start on a busy machine, unless the user has set them otherwise.

    The engines read these when they are imported. What goes wrong is printed by `main`, once and with its remedy;
    Prefect would print its traceback before.
    """
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    os.environ.setdefault("PREFECT_CLI_PROMPT", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    home = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect"))
    there = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    if not os.access(there, os.W_OK):
        raise InfrastructureError(f"{home} cannot be written; Prefect's state is there", remedy="set PREFECT_HOME")


def _print_study(folder: Path, name: str, as_json: bool) -> None:
    from flows.findings import comparison_of, summary
    from flows.record import latest, read_record
    from flows.tables import study_table
    from tasks.core.store import Store

    store = Store(folder)
    found = latest(store, name)
    record = read_record(store, found.record)
    if as_json:
        _print_json(summary(store, record, found.report))
    else:
        out.print(study_table(record, comparison_of(store, record)))
        out.print(f"report  {store.folder(found.report) / 'report.html'}", soft_wrap=True)


def _ask_label(row: dict[str, Any], left: int) -> str:
    """Show an answer, without its verdict so that the label owes nothing to it, and return what was typed."""
    for name in ("question", "output", "gold", "answer"):
        if row.get(name):
            out.print(f"[bold]{name:>9}[/]  {escape(str(row[name])[-2000:])}")
    return str(typer.prompt(f"right? y, n, s to skip, q to stop ({left} left)"))


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
