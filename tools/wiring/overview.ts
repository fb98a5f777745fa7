// The pair on one picture: boards, lines, switches, arrays. What stands for many wires says which.

import { svgOf, text } from "./draw"

export function drawOverview(): string {
    const box = (x: number, y: number, w: number, h: number, fill: string, lines: string[]) =>
        `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="6" fill="${fill}" stroke="#222" stroke-width="1.5"/>` +
        lines.map((line, i) => text(x + w / 2, y + 24 + 18 * i, line, "middle", i ? "normal" : "bold")).join("")
    const arrow = (d: string, colour: string, width = 2) =>
        `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${width}" marker-end="url(#tip-${colour.slice(1)})"/>`
    const [blue, amber, purple, red, green] = ["#2f6fc0", "#c98a00", "#7d3fb2", "#c0392b", "#2e8b57"]
    const tips = [blue, amber, red, green]
        .map(
            colour =>
                `<marker id="tip-${colour.slice(1)}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="${colour}"/></marker>`,
        )
        .join("")
    const parts = [
        `<defs>${tips}</defs>`,
        `<path d="M40 40H860" stroke="${purple}" stroke-width="5"/>`,
        text(450, 28, "BUS: Jacdac, one wire and ground, 220 Ω at each board; the host joins by USB", "middle"),
        `<path d="M165 40V80M735 40V80" stroke="${purple}" stroke-width="3"/>`,
        box(60, 80, 210, 110, "#d8e8ff", ["board a", "NODE strap low", "USB, 3V3, GND"]),
        box(630, 80, 210, 110, "#fdeac4", ["board b", "NODE strap high", "USB, 3V3, GND"]),
        // the lines
        arrow("M270 100H628", blue),
        text(450, 95, "OWN, HOLD of a → P_OWN, P_HOLD of b (4.7 kΩ)", "middle"),
        arrow("M630 125H272", amber),
        text(450, 120, "OWN, HOLD of b → P_OWN, P_HOLD of a (4.7 kΩ)", "middle"),
        arrow("M270 150H628", blue),
        text(450, 145, "RESET of a → transistor → 1 µF → RUN of b", "middle"),
        arrow("M630 175H272", amber),
        text(450, 170, "RESET of b → transistor → 1 µF → RUN of a", "middle"),
        // switches
        box(60, 290, 210, 80, "#fffdf3", ["switch a", "S = OWN of a", "high: a, low: b"]),
        box(630, 290, 210, 80, "#fffdf3", ["switch b", "S = OWN of b", "high: b, low: a"]),
        arrow("M110 190V288", blue, 3),
        text(116, 235, "SCK MOSI MISO, E0–E5", "start"),
        arrow("M790 190V288", amber, 3),
        text(784, 235, "SCK MOSI MISO, E0–E5", "end"),
        arrow("M250 190L648 288", blue, 3),
        arrow("M650 190L252 288", amber, 3),
        text(450, 316, "crossed: the same SCK MOSI MISO,", "middle"),
        text(450, 334, "with F0–F5 in place of E0–E5", "middle"),
        // arrays
        box(60, 440, 210, 70, "#d9f2d9", ["array a", "2 to 6 chips or cards"]),
        box(630, 440, 210, 70, "#d9f2d9", ["array b", "2 to 6 chips or cards"]),
        arrow("M165 370V438", green, 3),
        text(172, 408, "a:SCK a:MOSI a:MISO a:CS0–5", "start"),
        arrow("M735 370V438", green, 3),
        text(728, 408, "b:SCK b:MOSI b:MISO b:CS0–5", "end"),
        // supply
        arrow("M372 475H272", red),
        arrow("M528 475H628", red),
        box(374, 440, 152, 70, "#ffd9d2", ["supply, each array", "3V3 of a and of b,", "a diode from each"]),
    ]
    return svgOf(900, 530, parts.join("\n"))
}
