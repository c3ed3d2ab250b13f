"""GLUE with BERT: eight tasks of classifying sentences and pairs, and a small generated language at the mini scale."""

from __future__ import annotations

from collections.abc import Iterable

from harness import AdapterSpec, SuiteSpec, TaskSpec, hookimpl

from .bert_models import BERT_MODELS, DEFAULT_MODEL, PAPER_NAMES
from .glue_tasks import GLUE_TASKS, VARIABLE
from .layouts import LAYOUTS
from .mini_models import MINI_MODELS

#: The columns of the papers' tables: the main metric of each task, and MNLI's on mismatched sentences.
COLUMNS = tuple(f"{name}.{metric}" for name, task in GLUE_TASKS.items()
                for metric in (task.metrics if name == "glue-mnli" else task.metrics[:1]))


@hookimpl
def harness_tasks() -> Iterable[TaskSpec]:
    others = tuple(name for name in BERT_MODELS if name != DEFAULT_MODEL)
    for task in GLUE_TASKS.values():
        yield TaskSpec(
            name=task.name,
            summary=f"{task.title} of GLUE with BERT ({task.kind}), {' and '.join(task.metrics)}",
            factory=".task:GlueTaskOnBert",
            resolve=".resolve:resolve",
            metric=task.metrics[0],
            kind="language",
            calibration_size=32,
            models={"mini": tuple(MINI_MODELS), "full": (DEFAULT_MODEL, *others)},
            data_help=f"{LAYOUTS}\nOr set {VARIABLE} to that folder.",
            paper_names=PAPER_NAMES,
            trains=True,
        )


@hookimpl
def harness_suites() -> Iterable[SuiteSpec]:
    yield SuiteSpec(
        name="glue", summary="all tasks of GLUE but WNLI, with the two averages that papers print",
        columns=COLUMNS,
        averages={"average of 9": COLUMNS,
                  "average of 8": tuple(column for column in COLUMNS if column != "glue-mnli.accuracy_mm")})


@hookimpl
def harness_adapters() -> Iterable[AdapterSpec]:
    yield AdapterSpec(name="bert", summary="self-attention of transformers' BERT",
                      factory=".bert_attention:BertSelfAttentionTwin",
                      attention="transformers.models.bert.modeling_bert.BertSelfAttention")
