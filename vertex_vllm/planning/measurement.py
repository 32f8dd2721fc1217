"""Measured throughput of a deployment, and the price of tokens that follows. Nothing here is estimated."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Self

from pydantic import Field, TypeAdapter, ValidationError

_SECONDS_PER_HOUR = 3600
_FORMAT = 1

Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class Measurement:
    """The throughput of one deployment under the evaluation's load, and everything that it depends on."""

    model_id: Text
    commit: str
    """Of the weights, 40 hexadecimal digits; empty where their address names no commit."""
    machine_type: Text
    accelerator_type: str
    """Empty: none."""
    accelerator_count: Annotated[int, Field(ge=0)]
    """Accelerators of one replica."""
    replicas: Count
    """Replicas that ran."""
    image: Text
    args: tuple[str, ...]
    """The container's, but for `--model`."""
    concurrency: Count
    """Requests under way at once; in an open loop, the maximum."""
    output_tokens_per_second: Rate
    """Output of all requests and replicas together."""
    input_tokens_per_second: Rate | None
    """Prompt tokens read in the same time; None: not counted."""
    measured_at: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(T|$)")]
    """UTC, ISO 8601."""
    source: Text
    """Resource name of the endpoint that was measured, or who measured what where it was recorded by hand."""
    load: str = ""
    """Lengths of prompts and answers, as `Load.lengths` of the config says them; empty: not recorded."""
    requests_per_second: Rate | None = None
    """Rate of an open loop; None: a closed loop of `concurrency`."""
    slo: str = ""
    """SLO for which this is the highest rate, in the words of `Slo.words`; empty: none."""
    saturation_output_tokens_per_second: Rate | None = None
    """The most output tokens that the deployment made at any rate; None: saturation was not reached."""

    def to_json(self) -> str:
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n"


@dataclass(frozen=True)
class Throughput:
    """A measurement as a plan reports it for one of its machines."""

    output_tokens_per_second: float
    input_tokens_per_second: float | None
    concurrency: int
    replicas: int
    measured_at: str
    source: str
    usd_per_million_tokens: float | None
    """Of output, at the plan's price for that many replicas; None: the machine's price is not known."""
    remarks: tuple[str, ...]
    """Differences between the measured deployment and the planned one."""
    load: str = ""
    requests_per_second: float | None = None
    slo: str = ""
    usd_per_million_tokens_at_saturation: float | None = None
    """None: saturation was not reached, or the price is not known."""

    @classmethod
    def of(cls, measurement: Measurement, usd_per_hour: float | None, remarks: tuple[str, ...] = ()) -> Self:
        """`usd_per_hour`: of one replica."""
        speed, replicas = measurement.output_tokens_per_second, measurement.replicas
        fastest = measurement.saturation_output_tokens_per_second

        def price(tokens_per_second: float | None) -> float | None:
            if usd_per_hour is None or tokens_per_second is None:
                return None
            return token_price(usd_per_hour * replicas, tokens_per_second)

        return cls(
            output_tokens_per_second=speed,
            input_tokens_per_second=measurement.input_tokens_per_second,
            concurrency=measurement.concurrency,
            replicas=replicas,
            measured_at=measurement.measured_at,
            source=measurement.source,
            usd_per_million_tokens=price(speed),
            remarks=remarks,
            load=measurement.load,
            requests_per_second=measurement.requests_per_second,
            slo=measurement.slo,
            usd_per_million_tokens_at_saturation=price(fastest),
        )

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "remarks": tuple(fields["remarks"])})

    @property
    def price(self) -> str:
        """`4.63 USD per million output tokens`, or words for an unknown price."""
        if self.usd_per_million_tokens is None:
            return "USD per million output tokens unknown, as the machine's price is"
        return f"{self.usd_per_million_tokens:.2f} USD per million output tokens"

    @property
    def conditions(self) -> str:
        """Figures, time and place of the measurement."""
        replicas = f"{self.replicas} replica{'s' if self.replicas != 1 else ''}"
        read = "" if self.input_tokens_per_second is None else f", beside {self.input_tokens_per_second:.1f} of input"
        told = (
            f"{self.output_tokens_per_second:.1f} output tokens/s{read}, {self._load_told}, "
            f"{replicas}; measured {self.measured_at[:10]} on {self.source}"
        )
        return "; ".join((told, *self.remarks))

    @property
    def _load_told(self) -> str:
        lengths = f" of {self.load}" if self.load else ""
        if self.requests_per_second is None:
            return f"{self.concurrency} requests at once{lengths}"
        within = f", the highest rate within {self.slo}" if self.slo else ""
        saturated = self.usd_per_million_tokens_at_saturation
        beyond = "" if saturated is None else f", {saturated:.2f} USD at saturation"
        return f"{self.requests_per_second:.3g} requests/s{lengths}{within}{beyond}"


def token_price(usd_per_hour: float, tokens_per_second: float) -> float:
    """US dollars per million tokens: `usd_per_hour` of all machines, over the tokens that they make per second.

    Raises ValueError where the machines make no tokens.
    """
    if not tokens_per_second > 0:
        raise ValueError(f"{tokens_per_second} tokens a second")
    return usd_per_hour / (tokens_per_second * _SECONDS_PER_HOUR) * 1e6


def parse_measurements(text: str) -> tuple[Measurement, ...]:
    """A measurement as `to_json` writes it, or a list of them. Raises ValueError that says what is wrong."""
    try:
        parsed = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return tuple(map(_parsed, parsed if isinstance(parsed, list) else [parsed]))


def _parsed(fields: Any) -> Measurement:
    if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
        raise ValueError(f"no measurement of format {_FORMAT}")
    try:
        return TypeAdapter(Measurement).validate_python(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
