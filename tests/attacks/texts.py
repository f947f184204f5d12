"""Seventy-five texts that mean harm to what shows them: terminals, markup, HTML, spreadsheets, Markdown, TeX, XML, logs, metrics."""

TERMINAL = (
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "\x1b[2J\x1b[H",
    "\x1b[1A\x1b[2Kgone",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1bP+q544e\x1b\\",
    "\x1b[6n",
    "\x1b[?1049h",
    "\x9b2J",
    "\x9d0;title\x9c",
    "a\rb",
    "back\x08\x08\x08space",
    "bell\x07",
    "nul\x00",
    "del\x7f",
    "shift\x0eout\x0f",
    "vertical\x0btab",
    "form\x0cfeed",
    "next\x85line",
)
RICH = (
    "[/nope]",
    "[bold]not bold[/bold]",
    "[link=http://evil.example]x[/link]",
    "[red]x",
    "[/]",
    "[@click=app.quit]x[/]",
    "\\[bold]x",
    ":boom:",
    "[[[]]]",
)
UNICODE = (
    "\u202egnp.exe",
    "\u2066isolated\u2069",
    "\u202bright\u202c",
    "line\u2028break",
    "paragraph\u2029break",
    "tag\U000e0041",
    "\ufffe\uffff",
    "a\u200bb\u200d\ufeff",
    "z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307" * 20,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 שלום مرحبا 价值",
    "ﷺ" * 50,
)
HTML = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</style><style>*{display:none}",
    "</title></textarea></pre>",
    "{{7*7}} {% raw %} ${7*7} #{7*7}",
    "&lt;b&gt; &#x3c;b&#x3e; &amp;",
    "<iframe srcdoc='<script>alert(1)</script>'>",
)
FORMULAS = (
    "=1+1",
    "@SUM(A1)",
    "-2+3",
    "+cmd|' /C calc'!A0",
    "\t=1",
    "\r=1",
    '=HYPERLINK("http://evil.example")',
    "＝1+1",
    " =1+1",
    "'=1+1",
)
MARKDOWN = (
    "`code` *bold* _it_ | cell",
    "$x^2$ $$y$$",
    "@everyone #12 https://evil.example www.evil.example me@evil.example",
    "[x](http://evil.example) ![x](http://evil.example/x.png)",
    "# heading\n- list\n> quote",
    "```\nfence",
)
OTHER = (
    "\\input{/etc/passwd} \\write18{true} % # & ~ ^ _ { }",
    "\\end{tabular}\\def\\x{",
    'name"} 1\n# HELP evil x\nevil 1',
    "a\nerror: forged line",
    "; DROP TABLE labels;--",
    "../../etc/passwd",
)
TEXTS = (*TERMINAL, *RICH, *UNICODE, *HTML, *FORMULAS, *MARKDOWN, *OTHER)
"""All of them can be written as UTF-8; a lone surrogate is refused where a file is read."""
SURROGATE = "half \ud83d"
assert len(TEXTS) == len(set(TEXTS)) == 75
