"""How every page of truestep looks: its colours by day and by night, its type, its tables."""

DAY = (
    "--ink:#1b1b1b;--quiet:#595959;--line:#d0d0d0;--paper:#fff;--train:#0072b2;--valid:#d55e00;"
    "--good:#00795a;--bad:#b00020;color-scheme:light"
)
NIGHT = (
    "--ink:#e8e8e8;--quiet:#b0b0b0;--line:#484848;--paper:#181a1f;--train:#56b4e9;--valid:#f08a3c;"
    "--good:#35c99b;--bad:#ff7b7b;color-scheme:dark"
)
COLOURS = f":root{{{DAY}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{NIGHT}}}}}\n"
BASE = (
    COLOURS
    + """\
body{margin:0 auto;padding:1rem;max-width:64rem;background:var(--paper);color:var(--ink);
 font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}
p,.quiet{color:var(--quiet)}
.wide{overflow:auto;max-height:36rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
th,td{text-align:right;padding:.2em .8em .2em 0;border-bottom:1px solid var(--line);font-weight:400;white-space:nowrap}
thead th{position:sticky;top:0;background:var(--paper);color:var(--quiet);font-size:.87em}
"""
)
