import logging
import re
from html import unescape

import pytest

from cs231n.checking.verdicts import StatementResult
from cs231n.rendering import badges


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def block(html: str, anchor: str) -> str:
    """The HTML of one display."""
    start = html.index(f'id="{anchor}"')
    end = html.find('<div class="eq ', start)
    return html[start : end if end > 0 else None]


def test_a_good_page_gives_no_warning(render, caplog):
    html = render()
    assert warnings(caplog) == []
    assert html.count('class="eq ') == 6
    assert "arithmatex" not in html


def test_each_display_has_its_permanent_anchor(render):
    html = render()
    assert re.findall(r'<div class="eq[^>]* id="([\w-]+)"', html) == [
        "mu", "out", "arrow", "dmu", "dx", "constant-mean"
    ]  # fmt: skip
    assert '<a class="eq__name" href="#dx"' in html


def test_the_copied_tex_is_that_of_the_page(render, page_text):
    copied = [unescape(tex) for tex in re.findall(r'data-tex="([^"]*)"', render(), re.S)]
    assert copied == [tex.strip() for tex in re.findall(r"\$\$(.+?)\$\$", page_text, re.S)]


def test_a_proved_claim_says_sizes_hypotheses_time_and_command(render):
    text = unescape(re.sub(r"<[^>]+>", "", block(render(), "dmu")))
    assert "proved for all N, D · where ϵ>0, off the kink · 25\u00a0ms" in text
    assert "11 of 12 mutants refuted, 1 proved to say the same" in text
    assert "cs231n prove centring (line 21)" in text


def test_a_chain_has_one_badge_for_all_its_equalities(render):
    found = block(render(), "dx")
    assert found.count("<details") == 1
    assert "2 equalities proved for all N, D" in found
    assert "Equality 2" in found


def test_a_mistake_shows_where_it_is_false_without_being_opened(render):
    summary = re.search(r"<summary>(.*?)</summary>", block(render(), "constant-mean"))
    assert summary
    assert "at N = 3, D = 2, k = 1, l = 0: left 0.123, right −0.457" in summary[1].replace("\u00a0", " ")
    assert "k\u00a0=\u00a01, l" in summary[1]


def test_a_definition_is_marked_and_has_no_badge(render):
    found = block(render(), "out")
    assert '<span class="eq__kind">definition</span>' in found
    assert 'class="proof' not in found


def test_what_is_not_checked_says_why(render, caplog, page_text):
    html = render(page_text + "\n$$ \\mu_j = 0 \\qquad \\text{(not checked: only on average)} \\tag{average} $$\n")
    assert "<b>not checked:</b> only on average" in block(html, "average")
    assert warnings(caplog) == []


def test_a_page_that_cannot_be_read_is_one_warning_and_keeps_its_anchors(render, caplog, page_text):
    html = render(page_text.replace("= -1", "= -q"))
    assert len(warnings(caplog)) == 1
    assert "neither declared nor defined" in warnings(caplog)[0]
    assert re.findall(r'<div class="eq[^>]* id="([\w-]+)"', html) == ["arrow", "dmu", "dx", "constant-mean"]


def test_a_failed_verdict_is_a_warning_with_file_and_line(render, caplog, settled):
    def check(path):
        result = settled(path)
        broken = result.statements[3]
        broken.verdict = "refuted"
        broken.counterexample = {"sizes": {"N": 2}, "at": {}, "left": "1", "right": "2"}
        return result

    html = render(check=check)
    (message,) = warnings(caplog)
    assert "centring.md:21: dmu this claim is false at N = 2: left 1, right 2" in message
    assert "not proved" in block(html, "dmu")
    assert "proved for all" not in block(html, "dmu")


@pytest.mark.parametrize(("position", "verdict"), [(3, "undecided"), (6, "proved")])
def test_undecided_claims_and_true_mistakes_fail_too(render, caplog, position, verdict, settled):
    def check(path):
        result = settled(path)
        result.statements[position].verdict = verdict
        result.statements[position].message = "because of the test"
        return result

    render(check=check)
    (message,) = warnings(caplog)
    assert "because of the test" in message


def test_a_page_that_cannot_be_read_is_a_warning(render, caplog, page_text):
    render(page_text + "\n$$ dx_{kl} = \\mathrm{unknown}_{kl} \\tag{bad} $$\n")
    (message, *_) = warnings(caplog)
    assert re.search(r"centring\.md:\d+:\d+: ", message)


def test_a_display_that_markdown_does_not_draw_is_a_warning(render, caplog, page_text):
    render(page_text.replace("\n\n$$ dx_{kl} \\neq", "\nfollows at once:\n$$ dx_{kl} \\neq"))
    assert any("this display is not drawn" in message or ": " in message for message in warnings(caplog))
    assert warnings(caplog)


def test_a_display_that_the_reader_did_not_see_is_a_warning(render, caplog, monkeypatch):
    from dataclasses import replace

    from cs231n.rendering import extension

    whole = extension.read_page
    monkeypatch.setattr(extension, "read_page", lambda path: replace(whole(path), displays=whole(path).displays[:-1]))
    render()
    assert any("did not see the display" in message for message in warnings(caplog))


def test_a_missing_verdict_is_a_warning(render, caplog, settled):
    def check(path):
        result = settled(path)
        del result.statements[-1]
        return result

    render(check=check)
    assert any("statements but" in message for message in warnings(caplog))


def test_a_wrong_macro_is_a_warning(render, caplog):
    render("Nothing is declared here, $\\nosuchthing$.")
    assert any("nosuchthing" in message for message in warnings(caplog))


def test_running_text_keeps_brackets_and_commas_at_the_formula(render):
    html = render()
    assert re.search(r'<span class="nb"><math>(?:(?!</math>).)*</math>\),</span>', html)


def test_a_docstring_is_drawn_without_verdicts(render, caplog):
    html = render("The mean $\\mu_j$.", source=False)
    assert "<math>" in html
    assert warnings(caplog) == []


def test_displays_in_folds_and_lists_are_matched(render, caplog, page_text):
    fold = '1. Why?\n\n    ??? note "Solution"\n        $$ \\sum_i \\mathrm{out}_{ij} = 0 \\tag{mean} $$\n'
    html = render(f"{page_text}\n{fold}")
    assert warnings(caplog) == []
    assert 'id="mean"' in html


def test_invisible_code_stays_invisible(render, page_text):
    assert "secret" not in render(page_text + "\n<!-- invisible-code-block: python\nsecret = 1\n-->\n\nText.\n")


def test_a_table_without_a_head_is_a_card(render):
    html = render(
        "| | |\n| --- | --- |\n| saved | `x` |\n\n| | a |\n| --- | --- |\n| b | c |\n\n| d |\n| --- |\n| e |\n"
    )
    assert html.count("<thead>") == 2
    assert '<th scope="row">saved</th>' in html
    assert '<th scope="row">b</th>' in html
    assert "<td>e</td>" in html


def test_code_of_a_page_is_listed_without_a_second_reference_entry(tmp_path):
    from markdown import Markdown

    from cs231n.rendering.extension import Listings

    path = tmp_path / "page.md"
    path.write_text("---\ncode:\n  - call: cs231n.layers.affine.affine_forward\n---\n")
    md = Markdown()
    md.book_source = path  # type: ignore[attr-defined]
    lines = Listings(md).run(["::: cs231n.layers.affine.affine_forward", "", "::: a.b", "    options: {}"])
    assert "      skip_local_inventory: true" in lines
    assert lines[-3:] == ["", "::: a.b", "    options: {}"]


@pytest.mark.parametrize(
    ("left", "right", "shown"),
    [
        ("1.5", "-2", "at N = 2: left 1.5, right −2"),
        ("20.7312", "20.6801", "at N = 2: left 20.73, right 20.68"),
        ("1e-30", "2e-30", "at N = 2: left 1e−30, right 2e−30"),
        ("0.992494", "0.992494", "at N = 2: left and right part only after 0.992494"),
    ],
)
def test_a_counterexample_shows_enough_digits_to_differ(left, right, shown):
    result = StatementResult(kind="mistake", line=1, latex="", verdict="refuted")
    result.counterexample = {"sizes": {"N": 2}, "at": {}, "left": left, "right": right}
    assert badges.counterexample(result) == shown
