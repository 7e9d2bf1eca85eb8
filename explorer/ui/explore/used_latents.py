"""How many latents a model uses, and what each of them tells about an image."""

from __future__ import annotations

import streamlit as st

from explorer.checkpoints.model import Model
from explorer.figures import kl_bars
from explorer.files.tables import table_text
from explorer.latents import COLLAPSED_NATS
from explorer.ui.codes import abilities
from explorer.ui.downloads import caption_of, download_menu

OPEN = "used_latents"


def used_latents(model: Model) -> None:
    """Draws the line, and below it, where it is open, the KL of each latent and why some tell nothing."""
    with st.expander(_question(model), key=OPEN, type="compact", on_change="rerun") as box:
        if not box.open:
            return
        if (kl := model.latents.kl_by_latent) is None:
            st.caption(abilities.why_no_kl(model))
            return
        names = [model.network.latent_name(i) for i in range(model.latent)]
        collapsed = int((kl < COLLAPSED_NATS).sum())
        chart = kl_bars(kl.numpy(), names, COLLAPSED_NATS)
        st.plotly_chart(chart, key="used_latents_chart", config={"displayModeBar": False})
        st.caption(_why(model, collapsed))
        download_menu(
            "used_latents",
            f"{model.info.name}-latents",
            caption_of(
                model.info,
                f"KL of each of {model.latent:,} latents in nats, a mean over the test images, the largest first",
                f"grey below {COLLAPSED_NATS:g}",
            ),
            figure=lambda: [chart],
            table=lambda: table_text(["latent", "kl"], zip(names, (float(f"{v:.5g}") for v in kl), strict=True)),
            quiet=True,
        )


def _question(model: Model) -> str:
    active, count = model.info.metrics.get("active_units"), model.latent
    if abilities.why_no_kl(model):
        return "No KL of each latent: why?"
    return (
        f"{count:,} latents: what do they tell?" if active is None else f"{active:,} of {count:,} latents in use: why?"
    )


def _why(model: Model, collapsed: int) -> str:
    price = (
        "A nat of KL has to save more than a nat of reconstruction, or training drops it: a model uses as many latents "
        "as pay for themselves."
    )
    if not collapsed:
        return f"Each latent tells something about an image. {price}"
    if collapsed == 1:
        return f"1 latent (grey) has collapsed: it tells nothing, and the decoder ignores it. {price}"
    return f"{collapsed:,} latents (grey) have collapsed: they tell nothing, and the decoder ignores them. {price}"
