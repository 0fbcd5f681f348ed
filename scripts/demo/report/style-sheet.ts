/** Of the report. No font and no image comes from elsewhere. */
export const STYLE_SHEET = `
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 1.6em; }
#verdict { font-size: 1.2em; padding: .6em .9em; border-radius: 6px; }
#verdict.well { background: #e3f3e3; } #verdict.bad { background: #f9dcd6; }
table { border-collapse: collapse; margin: .6em 0; }
th, td { text-align: left; padding: .25em .7em; border-bottom: 1px solid #ddd; vertical-align: top; }
tr.bad th { color: #b3401f; } tr.well th { color: #2c7a2c; }
pre { white-space: pre-wrap; font-size: 12px; margin: .3em 0; }
svg { width: 100%; height: auto; margin: .6em 0; background: #fff; }
svg text { font-size: 11px; fill: #444; } svg text.title { font-size: 14px; font-weight: 600; }
.fault rect { fill: #f3d9a4; opacity: .55; } .fault text { fill: #7a5a10; }
.grid line { stroke: #e4e4e4; } .grid text { text-anchor: end; dominant-baseline: middle; }
.time { text-anchor: middle; }
.election { stroke: #888; stroke-width: 1; stroke-dasharray: 3 3; }
.curve { fill: none; stroke-width: 1.6; }
`;
