#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The running text of HTML files, a paragraph a line: html_to_text.py FILE... (in the order given) > text."""
import html.parser
import sys

KEPT = {"p", "h1", "h2", "h3", "h4", "li", "div"}
DROPPED = {"script", "style", "pre", "head", "nav", "dl"}


class Paragraphs(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open_kept = self.open_dropped = 0
        self.words = []
        self.lists = []

    def end_paragraph(self):
        text = " ".join("".join(self.words).split())
        if len(text) > 20:  # Page numbers and navigation are shorter.
            print(text)
        self.words = []

    def handle_starttag(self, tag, attrs):
        if tag == "ul":  # Of these, only navigation is dropped.
            self.lists.append("docnav" in (dict(attrs).get("class") or ""))
        if tag in DROPPED or (tag == "ul" and self.lists[-1]):
            self.end_paragraph()
            self.open_dropped += 1
        if tag in KEPT:
            self.end_paragraph()
            self.open_kept += 1

    def handle_endtag(self, tag):
        if tag in DROPPED or (tag == "ul" and self.lists and self.lists.pop()):
            self.words = []
            self.open_dropped -= 1
        if tag in KEPT:
            self.end_paragraph()
            self.open_kept -= 1

    def handle_data(self, data):
        if self.open_kept > 0 and self.open_dropped == 0:
            self.words.append(data)


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        Paragraphs().feed(file.read())
