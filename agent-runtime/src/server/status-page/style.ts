/** Looks of the status page: the system's fonts, light and dark as the system is, readable on a phone. */
export const STATUS_STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #e0e1e6; --card: #ffffff; --ground: #f6f7f9; --good: #18794e; --bad: #b4232c; --link: #0b68cb; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #a0a4ab; --line: #34373d; --card: #1c1e22; --ground: #131417; --good: #5bd19b; --bad: #ff8b8b; --link: #70b8ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 32px 20px 64px; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 12px; margin-bottom: 24px; }
h1 { margin: 0; font-size: 22px; font-weight: 650; }
h2 { margin: 28px 0 8px; font-size: 13px; font-weight: 600; color: var(--soft); }
#state { margin-left: auto; color: var(--soft); }
#state[data-kind="good"] { color: var(--good); }
#state[data-kind="bad"] { color: var(--bad); }
.version, .none { color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 9px 14px; text-align: left; white-space: nowrap; }
th { font-size: 13px; font-weight: 500; color: var(--soft); }
tr + tr td, thead + tbody tr:first-child td { border-top: 1px solid var(--line); }
td:first-child { font-weight: 550; }
td.good { color: var(--good); }
.none { margin: 0; padding: 12px 14px; }
form { display: flex; flex-wrap: wrap; gap: 10px; padding: 16px; }
form p { flex-basis: 100%; margin: 0; color: var(--soft); }
input { flex: 1 1 240px; min-width: 0; }
input, button { padding: 8px 12px; border: 1px solid var(--line); border-radius: 7px; background: transparent; color: inherit; font: inherit; }
button { cursor: pointer; }
button:hover { border-color: var(--soft); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 1px; }
code { font: 13px ui-monospace, monospace; }
[hidden] { display: none; }
`;
