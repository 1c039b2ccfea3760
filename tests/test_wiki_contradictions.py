"""Contradictions told only in prose: pairs of notes that were written down before the rules that read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memexlab.commands.ask_sources import from_sources
from memexlab.commands.eval_wiki import pages, write_lab
from memexlab.memory import Memory
from memexlab.wiki.compiling import compile_paths

#: (subject, status that its own header gives or "", what one note says, what another says)
CONTRADICT = (
    ("Memo 11", "Rejected", "It is about bread.", "Memo 11 was accepted."),
    ("Memo 12", "Rejected", "It is about salt.", "Memo 12 was withdrawn in 2019."),
    ("Memo 13", "Final", "It is about rice.", "Memo 13 has been rejected by the board."),
    ("Memo 14", "Withdrawn", "It is about tea.", "Memo 14 is accepted."),
    ("Memo 15", "Accepted", "It is about milk.", "Note that Memo 15 was rejected because it cost too much."),
    ("Memo 16", "Draft", "It is about oil.", "The committee met on Monday. Memo 16 has been implemented."),
    ("Project Halden", "", "Project Halden was cancelled in 2017.", "Project Halden is active."),
    ("Kestrel Cache", "", "Kestrel Cache is deprecated.", "Kestrel Cache is not deprecated."),
    ("Memo 19", "Active", "It is about soap.", "Memo 19 was formally withdrawn."),
    ("Memo 20", "Rejected", "It is about corn.", "In 2018, Memo 20 was approved."),
    ("Memo 21", "Final", "It is about wool.", "They rejected Memo 21 after two hours of talk."),
    ("Memo 22", "Rejected", "It is about silk.", "Memo 22, which many people liked, was accepted."),
    ("Vexel", "", "The default of Vexel is 0.1.", "The default of Vexel is 0.3."),
    ("Vextor", "", "The default is 0.1.", "The default of Vextor is 0.3."),
    ("Orlan", "", "Its timeout is 30 seconds.", "The timeout of Orlan is 60 seconds."),
    ("Tamsin Bridge", "", "Tamsin Bridge's height is 120 metres.", "The height of Tamsin Bridge is 125 metres."),
    ("Corvid", "", "Corvid has a window of 10 ms.", "The window of Corvid is 25 ms."),
    ("Brennet", "", "The rate of Brennet defaults to 0.01.", "The rate of Brennet is 0.1."),
    ("Lorin Hall", "", "The capacity of Lorin Hall is 400 seats.", "Lorin Hall holds 450 seats."),
    ("Mirelle", "", "Mirelle was founded in 1911.", "Mirelle was founded in 1921."),
    ("Zephan", "", "The price of Zephan was 12 euros.", "The price of Zephan was 15 euros."),
    ("Harn", "", "At 300 kW, the output of Harn surprised everybody.", "The output of Harn is 200 kW."),
    ("Pelham", "", "Pelham: mass 40 tons.", "The mass of Pelham is 44 tons."),
    ("Nuro", "", "The batch size in Nuro is 64.", "Nuro's batch size is 128."),
    ("Quill", "", "By default, the depth of Quill is 8.", "The default depth of Quill is 12."),
    ("Norvik", "", "The capital of Norvik is Ostby.", "The capital of Norvik is Helmar."),
    ("Tessaly", "", "Tessaly costs 40 dollars.", "Tessaly costs 55 dollars."),
    ("Velda", "", "Velda's default timeout is 5 s.", "The default timeout of Velda is 9 s."),
    ("Charter 1", "Active", "On boats.", "Charter 1 was cancelled by the mayor last week."),
    ("Charter 2", "Rejected", "On docks.", "Charter 2 is in force since June."),
    ("Charter 3", "Withdrawn", "On ropes.", "The board approved Charter 3 on Friday."),
    ("Charter 4", "Approved", "On sails.", "Sadly, Charter 4 was turned down."),
    ("Charter 5", "Draft", "On masts.", "As of May 2019, Charter 5 is final."),
    ("Charter 6", "Deprecated", "On keels.", "Charter 6 remains active."),
    ("Lark Engine", "", "The torque of the Lark Engine is 90 Nm.", "The Lark Engine has a torque of 110 Nm."),
    ("Sorrel", "", "Sorrel weighs 12 kg.", "Sorrel weighs 14 kg."),
    ("Tarn Lake", "", "The depth of Tarn Lake is 30 m.", "Tarn Lake is 42 m deep."),
    ("Umber", "", "The default temperature of Umber is 0.7.", "Umber's default temperature is 1.0."),
    ("Wren Port", "", "The default port of Wren Port is 8080.", "By default, Wren Port listens on port 9090."),
    ("Yarrow", "", "Yarrow was released in 2016.", "Yarrow was released in 2018."),
    ("Zinnia", "", "The vocabulary of Zinnia has 32000 tokens.", "The vocabulary of Zinnia has 50000 tokens."),
    ("Basil Tor", "", "The mass of Basil Tor is 400 tons.", "According to Tim, the mass of Basil Tor is 450 tons."),
    ("Chive", "", "The accuracy of Chive is 81 %.", "The accuracy of Chive was 76 %."),
    ("Dill", "", "The founder of Dill is Ann Berg.", "The founder of Dill is Karl Moe."),
)  # fmt: skip
AGREE = (
    ("Memo 31", "Rejected", "It is about bread.", "Memo 31 was not accepted."),
    ("Memo 32", "Rejected", "It is about salt.", "If Memo 32 was accepted, we would start in May."),
    ("Memo 33", "Rejected", "It is about rice.", "Memo 33 would have been accepted with more support."),
    ("Memo 34", "Rejected", "It is about tea.", "Memo 34 should be accepted."),
    ("Memo 35", "Rejected", "It is about milk.", "Ann said that Memo 35 was accepted."),
    ("Memo 36", "Rejected", "It is about oil.", "Memo 136 was accepted."),
    ("Memo 37", "Final", "It is about soap.", "Memo 37 was accepted in 2015."),
    ("Memo 38", "Superseded", "It is about corn.", "Memo 38 was implemented in version 3."),
    ("Memo 39", "Rejected", "It is about wool.", "The section on costs of Memo 39 was accepted."),
    ("Memo 40", "Rejected", "It is about silk.", "Was Memo 40 accepted?"),
    ("Memo 41", "Final", "It is about jam.", "Memo 41 was nearly rejected."),
    ("Memo 42", "Final", "It is about figs.", "Memo 42 was initially rejected and later accepted."),
    ("Memo 43", "Rejected", "It is about nuts.", "The idea behind Memo 43 is accepted by most readers."),
    ("Memo 44", "Accepted", "It is about peas.", "Memo 44 was rejected until the costs were cut."),
    ("Memo 45", "Rejected", "It is about eggs.", "Memo 45 is accepted practice in kitchens."),
    ("Memo 46", "Final", "It is about beer.", "Memo 46 was withdrawn from the agenda of May."),
    ("Memo 47", "Draft", "It is about wine.", "Memo 47 is a draft."),
    ("Alder", "", "The default of Alder is 0.1.", "The default of Alder Two is 0.3."),
    ("Birch", "", "The timeout of Birch is 30 seconds.", "The delay of Birch is 5 seconds."),
    ("Cedar", "", "In 2010, the price of Cedar was 12 euros.", "In 2020, the price of Cedar was 15 euros."),
    ("Elm", "", "The price of Elm was 12 euros in 2010.", "The price of Elm was 15 euros in 2020."),
    ("Fir", "", "The limit of Fir is 10 MB on Linux.", "The limit of Fir is 20 MB on Windows."),
    ("Gale", "", "The height of Gale is 1,200 m.", "The height of Gale is 1200 m."),
    ("Hazel", "", "The default of Hazel is 0.1.", "If the default of Hazel was 0.3, training would diverge."),
    ("Ivo", "", "The width of Ivo is 5 m.", "The width of Ivo is not 6 m."),
    ("Juniper", "", "The delay of Juniper is 10 ms.", "The delay of Juniper is 0.01 s."),
    ("Kale", "", "The default of Kale is 0.1.", "Suppose the default of Kale is 0.3."),
    ("Larch", "", "The rate of Larch is 5 %.", "The rate of Larch is 5%."),
    ("Maple", "", "The rate of Maple is 5 percent.", "The rate of Maple is 5%."),
    ("Nettle", "", "The default is 3.", "Nobody asked what the default of Nettle is."),
    ("Pine", "", "Workers: the default is 4. Retries: the default is 9.", "The default is 7."),
    ("Project Istra", "", "Project Istra is active.", "Project Istra was cancelled in 2019."),
    ("Rowan", "", "The length of Rowan is about 10 km.", "The length of Rowan is 10 km."),
    ("Charter 31", "Rejected", "On boats.", "Had Charter 31 been accepted, the port would be closed."),
    ("Charter 32", "Rejected", "On docks.", "Many wondered why Charter 32 was accepted in the first draft."),
    ("Charter 33", "Rejected", "On ropes.", "Charter 33 was accepted for review."),
    ("Charter 34", "Final", "On sails.", "An early version of Charter 34 was rejected."),
    ("Charter 35", "Final", "On masts.", "Charter 35 was rejected twice before it was accepted."),
    ("Charter 36", "Final", "On keels.", "Charter 36 was withdrawn, revised and accepted."),
    ("Charter 37", "Rejected", "On decks.", "It is not true that Charter 37 was accepted."),
    ("Charter 38", "Active", "On rudders.", "Charter 38 was a draft in 2017."),
    ("Charter 39", "Active", "On hulls.", "Annex B of Charter 39 is deprecated."),
    ("Larkspur", "", "The price of Larkspur is 5 euros per kilo.", "The price of Larkspur is 9 euros per box."),
    ("Mallow", "", "The speed of Mallow is at most 10 m/s.", "The speed of Mallow is 7 m/s."),
    ("Nigella", "", "The median of Nigella is 5 ms.", "The mean of Nigella is 9 ms."),
    ("Oxlip", "", "The score of Oxlip is 80 on the test set.", "The score of Oxlip is 92 on the training set."),
    ("Poppy", "", "The height of Poppy is 1.5 m.", "The height of Poppy is 150 cm."),
    ("Quince", "", "The length of Quince is 12 km.", "They hoped that the length of Quince is 20 km."),
    ("Rue", "", "The load of Rue is 3 %.", "The load of Rue was 9 % last year."),
    ("Sage", "", "The price of Sage is between 4 and 6 euros.", "The price of Sage is 5 euros."),
    ("Thyme", "", "The rate of Thyme is 5 per second.", "The rate of Thyme is 300 per minute."),
)  # fmt: skip


#: Denials, and quantities by another name; written before the rules for them, as were the traps.
DENIED = (
    ("Corvine", "", "Corvine supports kanji.", "Corvine does not support kanji."),
    ("Delphin", "", "Delphin requires a licence key.", "Delphin doesn't require a licence key."),
    ("Egret Mail", "", "Egret Mail allows attachments.", "Egret Mail never allows attachments."),
    ("Finch", "", "Finch does not need a server.", "Finch needs a server."),
    ("Grebe", "", "Grebe uses the old parser.", "Grebe no longer uses the old parser."),
    ("Heron Pack", "", "Heron Pack contains nuts.", "Heron Pack contains no nuts."),
    ("Ibis", "", "Ibis works with Windows.", "Ibis does not work with Windows."),
    ("Jay", "", "Jay is compatible with the old format.", "Jay is not compatible with the old format."),
    ("Kite Log", "", "Kite Log is deprecated.", "Kite Log is not deprecated."),
    ("Lapwing", "", "Lapwing can read encrypted files.", "Lapwing cannot read encrypted files."),
    ("Merlin", "", "Merlin weighs 12 kg.", "The weight of Merlin is 15 kg."),
    ("Nuthatch", "", "The length of Nuthatch is 12 m.", "Nuthatch is 14 m long."),
    ("Osprey", "", "Osprey costs 40 dollars.", "The price of Osprey is 60 dollars."),
)
TRAPS = (
    ("Avocet", "", "Avocet supports kanji.", "Avocet does not support kana."),
    ("Bittern", "", "Bittern supports kanji.", "Bittern does not support kanji on Windows."),
    ("Coot", "", "Coot supports patches, but only on Linux.", "Coot does not support patches."),
    ("Dunlin", "", "Dunlin requires a key.", "If it is offline, Dunlin does not require a key."),
    ("Eider", "", "Eider uses the old parser.", "Eider should not use the old parser."),
    ("Fulmar", "", "Fulmar allows loops.", "In 2012, Fulmar did not allow loops."),
    ("Gannet", "", "Gannet needs a server.", "Gannet does not only need a server."),
    ("Hobby", "", "Hobby supports kanji.", "Ann says that Hobby does not support kanji."),
    ("Jackdaw", "", "Jackdaw supports kanji.", "Jackdaw Two does not support kanji."),
    ("Knot", "", "Knot contains nuts.", "Knot does not contain many nuts."),
    ("Linnet", "", "Linnet works with Windows.", "Linnet does not work well with Windows."),
    ("Martin", "", "Martin is compatible with Linux.", "Martin is not fully compatible with Linux."),
    ("Nightjar", "", "Nightjar can read encrypted files.", "Nightjar cannot write encrypted files."),
    ("Oriole", "", "Oriole needs a server.", "Does Oriole not need a server?"),
    ("Petrel", "", "Petrel supports no plugins.", "Petrel does not support plugins."),
    ("Quail", "", "Quail does not support loops yet.", "Quail supports loops."),
    ("Rook", "", "Rook contains 3 rooms.", "The length of Rook is 9 m."),
    ("Siskin", "", "Siskin costs 4 dollars a day.", "The price of Siskin is 900 dollars."),
    ("Teal", "", "Teal weighs 4 kg when empty.", "The weight of Teal is 9 kg when full."),
)


def _lab(root: Path) -> dict[str, str]:
    """The pages of all pairs, in one lab, by title."""
    files: dict[str, str] = {}
    for number, (name, status, one, other) in enumerate((*CONTRADICT, *DENIED, *AGREE, *TRAPS)):
        head = f"status: {status}\n" if status else ""
        files[f"a{number}.md"] = f"---\ntitle: {name}\ndate: 2018-03-01\nauthor: Ada Lund\n{head}---\n\n{one}\n"
        note = f"title: Week {number + 400} of the diary\ndate: 2020-05-02\nauthor: Bo Marsh"
        files[f"b{number}.md"] = f"---\n{note}\n---\n\nRain all day. {other}\n"
    write_lab(root, files)
    memory = Memory(root / ".memex")
    compile_paths(memory, root, [root / "raw"], "human:test")
    memory.close()
    return {m[1]: text for text in pages(root).values() if (m := re.search(r'(?m)^title: "(.*)"$', text))}


def _shown(page: str) -> list[str]:
    """The kinds of the contradictions on a page, those aside that are told to be none."""
    return [kind for kind in re.findall(r"> \[!contradiction\] [^:\n]+: (.+)", page) if kind != "scope differs"]


@pytest.mark.slow
def test_planted_pairs_told_in_prose(tmp_path: Path) -> None:
    by_title = _lab(tmp_path)
    missed = [name for name, *_ in (*CONTRADICT, *DENIED) if not _shown(by_title[name])]
    false = [name for name, *_ in (*AGREE, *TRAPS) if _shown(by_title[name])]
    shown = sum(bool(_shown(text)) for text in by_title.values())
    assert false == []
    assert shown == len(CONTRADICT) + len(DENIED) - len(missed), "a page that nobody planted shows a contradiction"
    assert "> [!contradiction] Uses old parser: superseded" in by_title["Grebe"]  # it "no longer" does, says the later
    # A header that tells a later state, and another word for what a port is.
    assert missed == ["Charter 6", "Wren Port"]


def test_a_repost_is_no_second_witness(tmp_path: Path) -> None:
    def note(title: str, day: str, words: str) -> str:
        return f"---\ntitle: {title}\ndate: {day}\n---\n\nRain all day. {words}\n"

    said = "The height of Gull Tower is 120 metres."
    files = {
        "gull.md": note("Gull Tower", "2017-01-01", "It is red."), "a.md": note("Towers", "2018-01-01", said),
        "b.md": note("Towers again", "2019-01-01", said.replace(" of", "\nof")),
        "c.md": note("Heights", "2020-01-01", "Gull Tower's height is 125 metres."),
    }  # fmt: skip
    write_lab(tmp_path, files)
    memory = Memory(tmp_path / ".memex")
    compile_paths(memory, tmp_path, [tmp_path / "raw"], "human:test")
    page = pages(tmp_path)["gull-tower.md"]
    sides = re.findall(r"> - \*\*(\d+ metres)\*\*, (.*?): “", page)
    assert [value for value, _ in sides] == ["120 metres", "125 metres"]
    assert "; the same words in " in sides[0][1]
    answer = str(from_sources(memory, tmp_path, "What is the height of Gull Tower?", None, "human:test"))
    assert "said by raw/a.md (2018-01-01), in the same words raw/b.md (2019-01-01); 125" in answer
    memory.close()
