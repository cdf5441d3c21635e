"""Tests of which fields a setting reads: flags without effect are told of, sweeps without effect refused."""

import dataclasses

import pytest

from jaxteach.cli.flags import flags, idle_flags, to_json
from jaxteach.config import PAPER, Config, Decay, check
from jaxteach.config.effects import check_sweep, not_read_by, out_of_reach
from jaxteach.config.fields import leaves
from jaxteach.run import read_options
from jaxteach.utils.errors import UserError


@pytest.mark.parametrize(
    ("line", "flag", "because"),
    [
        ("--ppo.returns monte_carlo --ppo.gae-lambda 0.95", "--ppo.gae-lambda", "--ppo.returns monte_carlo"),
        ("--decay linear --decay.floor=0.1", "--decay.floor", "--decay linear"),
        ("--decay constant --decay.off_at 1.0", "--decay.off-at", "--decay constant"),
        ("--decay adaptive --decay.plateau-at 3", "--decay.plateau-at", "--decay adaptive"),
        ("--teacher none --distill js", "--distill", "--teacher none"),
        ("--teacher none --decay.start 1", "--decay.start", "--teacher none"),
        ("--teacher none --corrupt.share 0.1", "--corrupt.share", "--teacher none"),
        ("--corrupt.seed 1", "--corrupt.seed", "--corrupt.share 0"),
        ("--corrupt.mode noise", "--corrupt.mode", "--corrupt.share 0 --corrupt.states 0"),
        ("--corrupt.share 0.1 --corrupt.mode noise --corrupt.states 2", "--corrupt.states", "--corrupt.mode"),
        ("--decay none --distill.teacher hard", "--distill.teacher", "--decay none"),
        (
            "--distill.teacher held --distill.weighting entropy",
            "--distill.weighting",
            "--distill.teacher held",
        ),
        (
            "--distill.teacher argmax --distill.weighting none",
            "--distill.weighting",
            "--distill.teacher argmax",
        ),
        ("--method hierarchical --teacher chatglm", "--teacher", "--method hierarchical"),
        ("--method interruptible --decay linear", "--decay", "--method interruptible"),
        ("--ppo.bonus-weight 0.01", "--ppo.bonus-weight", "--ppo.bonus none"),
        ("--rollout.min-env-steps 300", "--rollout.min-env-steps", "--rollout.collect steps"),
        ("--preset paper --rollout.steps 5", "--rollout.steps", "--rollout.collect episodes"),
        ("--ppo.policy-weight 0 --ppo.clip 0.1", "--ppo.clip", "--ppo.policy-weight 0"),
        (
            "--sweep decay=linear,cosine --sweep decay.floor=0,0.1",
            "--decay.floor",
            "at 2 of 4 points: --decay linear",
        ),
    ],
)
def test_a_flag_without_effect_is_told_of(line, flag, because):
    args = line.split()
    (said,) = idle_flags(read_options(args)[0].config, args)
    assert said.startswith(f"{flag} has no effect") and because in said


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--corrupt.states 2 --corrupt.seed 1",
        "--decay.floor 0.1",
        "--teacher none --decay none",
        "--preset paper",
    ],
)
def test_flags_with_effect_are_not(line):
    assert idle_flags(read_options(line.split())[0].config, line.split()) == []


def test_every_condition_names_fields_there_are_and_values_they_can_have():
    known = leaves(Config)
    assert {leaf.flag for leaf in known.values()} == set(flags(to_json(Config())))
    for leaf in known.values():
        for settings in leaf.about.idle:
            for name, value in settings.items():
                check(known[name].changed(Config(), value))


@pytest.mark.parametrize(
    "line",
    [
        "--sweep decay.floor=0,1 --decay linear",
        "--sweep ppo.gae_lambda=0,1 --preset paper",
        "--sweep decay=linear,cosine --teacher none",
        "--sweep decay.start=1,2 --method hierarchical",
    ],
)
def test_a_sweep_without_effect_is_refused(line):
    with pytest.raises(UserError, match="does not read it, so that its points would be alike"):
        read_options(line.split())


def test_a_sweep_with_effect_somewhere_is_not():
    check_sweep(Config(sweep=("decay=linear,cosine", "decay.floor=0,1")))
    assert not_read_by(Config(decay=Decay("cosine")), "decay.floor") is None


def test_a_plateau_beyond_the_run_is_told_of():
    (line,) = out_of_reach(dataclasses.replace(PAPER, env_steps=300_000))
    assert line.startswith("--decay.plateau-at 1980: ") and line.endswith("at most 1172 updates")
    assert out_of_reach(dataclasses.replace(PAPER, env_steps=1_000_000)) == []
    assert out_of_reach(dataclasses.replace(Config(), env_steps=512)) == []
