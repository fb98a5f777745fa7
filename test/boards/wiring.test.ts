// The wiring: the netlist joins what the firmware takes for joined, and the page and docs/WIRING.md say the same as the board files.

import assert from "node:assert/strict"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { projectRoot } from "../../tools/sim/devs-cli"
import { strapBit } from "../../tools/sim/cabinet/pins"
import { readBoard, readNetlist, type Netlist } from "../../tools/wiring/netlist"
import { boardIds, wiringPage } from "../../tools/wiring/wiring"

const folder = join(projectRoot, "boards")
const boards = boardIds.map(id => readBoard(folder, id))
const pairs = [
    ["a", "b"],
    ["b", "a"],
]

const partsOf = ({ sheets }: Netlist) => sheets.flatMap(({ parts }) => parts)

/** What joins net `from` to net `to` directly: kinds of parts. */
function between(netlist: Netlist, from: string, to: string): string[] {
    return partsOf(netlist)
        .filter(({ pins }) => pins.size <= 3 && [...pins.values()].includes(from) && [...pins.values()].includes(to))
        .map(({ part }) => part)
}

describe("wiring", () => {
    for (const board of boards) {
        const netlist = readNetlist(folder, board)

        it(`${board.id}: each chip hangs on its two boards by a switch that OWN of its home turns [R1 R5 R6]`, () => {
            const switches = partsOf(netlist).filter(({ part }) => part === "cbtlv3257")
            /** A chip's wire, and what a switch puts on it. */
            const ways = (net: string) =>
                switches.flatMap(({ pins }) =>
                    [1, 2, 3, 4]
                        .filter(n => pins.get(`${n}A`) === net)
                        .map(n => [pins.get("S"), pins.get(`${n}B2`), pins.get(`${n}B1`), pins.get("OE")]),
                )
            for (const [home, partner] of pairs) {
                const chips = partsOf(netlist).filter(({ ref, part }) => part === "w25q128" && ref[1] === home)
                assert.equal(chips.length, 6)
                chips.forEach(({ pins }, i) => {
                    assert.deepEqual(ways(pins.get("CS")!), [
                        [`${home}.OWN`, `${home}.E${i}`, `${partner}.F${i}`, "GND"],
                    ])
                    for (const [pin, name] of [
                        ["CLK", "SCK"],
                        ["DI", "MOSI"],
                        ["DO", "MISO"],
                    ])
                        assert.deepEqual(ways(pins.get(pin)!), [
                            [`${home}.OWN`, `${home}.${name}`, `${partner}.${name}`, "GND"],
                        ])
                    assert.deepEqual(between(netlist, pins.get("CS")!, `${home}.VARR`), ["r10k"], "pull-up")
                    assert.equal(pins.get("VCC"), `${home}.VARR`)
                })
            }
        })

        it(`${board.id}: lines fall without power, RESET is a pulse, arrays live on either board [R6 R19 R32]`, () => {
            for (const [home, partner] of pairs) {
                for (const line of ["OWN", "HOLD"]) {
                    assert.deepEqual(between(netlist, `${home}.${line}`, "GND"), ["r10k"])
                    assert.deepEqual(between(netlist, `${home}.${line}`, `${partner}.P_${line}`), ["r4k7"])
                }
                assert.deepEqual(between(netlist, `${home}.RESET`, `${home}.FENCE`), ["bss138"])
                assert.deepEqual(between(netlist, `${home}.FENCE`, `${partner}.RUN`), ["cFence"])
                for (const source of [home, partner]) {
                    const diodes = partsOf(netlist).filter(
                        ({ part, pins }) =>
                            part === "sb1n5817" &&
                            pins.get("A") === `${source}.3V3` &&
                            pins.get("K") === `${home}.VARR`,
                    )
                    assert.equal(diodes.length, 1)
                }
                assert.deepEqual(between(netlist, `${home}.JD`, "BUS"), ["r220"])
            }
            assert.deepEqual(between(netlist, "a.NODE", "GND"), ["r10k"])
            assert.deepEqual(between(netlist, "b.NODE", "b.3V3"), ["r10k"])
        })

        it(`${board.id}: every pin of the board file is on a net`, () => {
            for (const { ref, pins } of partsOf(netlist).filter(({ part }) => part === "board"))
                for (const name of board.gpios.keys()) assert.equal(pins.get(name), `${ref[1]}.${name}`)
        })
    }

    it("a netlist with a wire that ends nowhere, an unknown part or a doubled name is refused", () => {
        const broken = mkdtempSync(join(tmpdir(), "twinfiler-netlist-"))
        const text = readFileSync(join(folder, "netlist.json"), "utf8")
        cpSync(folder, broken, { recursive: true })
        for (const [from, to, message] of [
            ['"$n.FENCE"', '"$n.FENCES"', /only .* is on net/],
            ['"part": "bss138"', '"part": "bc547"', /not in the list/],
            ['"ref": "R$n2"', '"ref": "R$n1"', /two parts are named Ra1/],
        ] as const) {
            assert.ok(text.includes(from))
            writeFileSync(join(broken, "netlist.json"), text.replace(from, to))
            assert.throws(() => readNetlist(broken, boards[0]), message)
        }
        rmSync(broken, { recursive: true })
    })

    it("the page has every pin of every board, as the board files have it [R16]", () => {
        const page = wiringPage()
        for (const name of new Set(boards.flatMap(({ gpios }) => [...gpios.keys()]))) {
            const [, row] = new RegExp(`<tr><td>${name}</td>(.*?)</tr>`).exec(page) ?? []
            const found = [...(row ?? "").matchAll(/<td>(?:GPIO (\d+), (?:pin \d+|J[13], "\d+")|–)<\/td>/g)]
            assert.deepEqual(
                found.map(([, gpio]) => (gpio === undefined ? undefined : Number(gpio))),
                boards.map(({ gpios }) => gpios.get(name)),
                name,
            )
        }
        assert.equal(page.match(/<svg/g)?.length, 9)
        // and on the sheets of the boards, both of each kind, beside the name of its net
        const written = (text: string) => page.split(`>${text}</text>`).length - 1
        for (const { id, gpios } of boards)
            for (const [name, gpio] of gpios)
                assert.equal(written(`${name} ${id === "pico_node" ? "GP" : "IO"}${gpio}`), 2, `${id} ${name}`)
        for (const value of ["1 µF", "10 µF"]) assert.equal(written(`Ca1  ${value}`), 1)
        for (const [id, gpio] of boards.flatMap(board => [...board.gpios.values()].map(gpio => [board.id, gpio])))
            assert.ok(page.includes(`GPIO ${gpio}, `), `${id} ${gpio}`)
    })

    it("what docs/WIRING.md says of pins is so", () => {
        const text = readFileSync(join(projectRoot, "docs", "WIRING.md"), "utf8")
        const said = [...text.matchAll(/GPIO (\d+)/g)].map(([, gpio]) => Number(gpio))
        const file = (id: string) => JSON.parse(readFileSync(join(folder, `${id}.board.json`), "utf8"))
        assert.deepEqual(
            said,
            [file("esp32s3_node").pins.NODE, file("pico_node").log.pinTX].sort((x, y) => x - y),
        )
        const names = new Set([...boards[0].gpios.keys(), ...boards[1].gpios.keys()])
        for (const name of ["OWN", "HOLD", "RESET", "NODE", "SCK", "MOSI", "MISO", "PAIR0", "PAIR1"]) {
            assert.ok(names.has(name), name)
            assert.ok(text.includes(name), name)
        }
        // of nets named in steps: such a net exists
        const { nets } = readNetlist(folder, boards[0])
        for (const [, net] of text.matchAll(/`([ab][.:][A-Z0-9_]+)`/g)) assert.ok(nets.has(net), net)
    })

    it("the straps of further pairs, as docs/WIRING.md has them, are the nodes' numbers as a cabinet's pins tell them [R13 R16]", () => {
        const text = readFileSync(join(projectRoot, "docs", "WIRING.md"), "utf8")
        const rows = [...text.matchAll(/^\| \w+ \| ([a-h]) \| ([01]) \| ([01]) \| ([01]) \|$/gm)]
        assert.equal(rows.map(([, node]) => node).join(""), "abcdefgh")
        const straps = ["NODE", "PAIR0", "PAIR1"] as const
        for (const [, node, ...levels] of rows)
            assert.equal(
                straps.reduce((number, strap, i) => number + (Number(levels[i]) << strapBit(strap)!), 0),
                node.charCodeAt(0) - 97,
                node,
            )
    })
})
