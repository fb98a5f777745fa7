// `twinfiler sim`: a cabinet on this machine, its chips in a folder, its bus on a web socket and a TCP port.

import { Command, InvalidArgumentError, Option } from "commander"
import { TwinfilerError } from "../bridge/error"
import { lockFolder } from "../bridge/folder-lock"
import { allParts } from "./chips/parts"
import { Gateway } from "./gateway"
import { controlOf, Runner } from "./runner"
import { miswiringNames, type Miswiring } from "./cabinet/miswired"
import { pairsMax } from "./cabinet/cabinet"
import { elementsMax } from "./cabinet/pins"
import { Simulation, type SimulationOptions } from "./simulation"

interface SimOptions {
    dir: string
    pairs: number
    elements: number
    spares: number
    deadElement: string[]
    chip: string
    pace: "real" | "max"
    port: number
    tcpPort?: number
    seed: number
    cpu: "rp2040" | "ideal"
    timing: "typical" | "maximum"
    miswired?: Miswiring
    verbose?: boolean
}

function whole(least: number, most: number): (text: string) => number {
    return text => {
        const value = Number(text)
        if (!Number.isInteger(value) || value < least || value > most)
            throw new InvalidArgumentError(`give a whole number from ${least} to ${most}`)
        return value
    }
}

export function simCommand(): Command {
    const chips = allParts()
        .filter(part => part.real)
        .map(part => part.name)
    return new Command("sim")
        .description("run a simulated cabinet: the firmware that is flashed, on simulated boards and chips")
        .requiredOption(
            "--dir <dir>",
            "folder of the chips' contents; made if it is not there, kept when the simulator ends",
        )
        .option("--pairs <n>", "pairs of nodes on the bus", whole(1, pairsMax), 1)
        .option("--elements <n>", "chips or cards of each array", whole(2, elementsMax), 2)
        .option("--spares <n>", "blank ones in the slots behind them", whole(0, elementsMax - 2), 0)
        .addOption(new Option("--chip <name>", "which chips, or cards").choices(chips).default("W25Q128JV"))
        .addOption(
            new Option("--pace <pace>", "real: a virtual second takes a second; max: as fast as this machine allows")
                .choices(["real", "max"])
                .default("real"),
        )
        .option("--port <p>", "web socket port of the bus; TCP is at the next one", whole(0, 65535), 8081)
        .option("--tcp-port <p>", "TCP port of the bus", whole(0, 65535))
        .option("--seed <n>", "seed of all randomness", whole(0, 0xffffffff), 1)
        .option(
            "--dead-element <array:slot>",
            "an element that never answers, as a:1; may be given again",
            (text: string, before: string[]) => [...before, text],
            [],
        )
        .addOption(new Option("--cpu <cpu>", "processor model").choices(["rp2040", "ideal"]).default("rp2040"))
        .addOption(
            new Option("--timing <timing>", "chips' busy times of the datasheet")
                .choices(["typical", "maximum"])
                .default("typical"),
        )
        .addOption(new Option("--miswired <fault>", "a mistake in the wiring, for hw-tests").choices(miswiringNames))
        .option("-v, --verbose", "show what the nodes print")
        .action(async (_, command: Command) => {
            const options = command.opts<SimOptions>()
            const lock = lockFolder(options.dir)
            try {
                process.exitCode = await simulate(options)
            } finally {
                lock.release()
            }
        })
}

/** What the options ask for may not be there to have: too many spares, an element that is not there, an image of another size. */
function made(options: SimulationOptions): Simulation {
    try {
        return new Simulation(options)
    } catch (error) {
        throw new TwinfilerError("usage", (error as Error).message)
    }
}

async function simulate(options: SimOptions): Promise<number> {
    const say = (text: string) => process.stderr.write(`${text}\n`)
    const simulation = made({
        seed: options.seed,
        pairs: options.pairs,
        elements: options.elements,
        spares: options.spares,
        deadElements: options.deadElement,
        miswired: options.miswired,
        relays: true,
        chip: options.chip,
        images: options.dir,
        cpu: options.cpu,
        timing: options.timing,
        onLog: (node, line, atNs) => options.verbose && say(`${(atNs / 1e9).toFixed(3)} ${node} ${line}`),
        onPanic: (node, code) => say(`node ${node} panicked (${code}) and starts again`),
    })
    const wallMs = () => performance.now()
    const runner = new Runner(simulation, options.pace, wallMs)
    const gateway = await Gateway.open({
        wire: simulation.wire,
        webPort: options.port,
        tcpPort: options.tcpPort ?? (options.port === 0 ? 0 : options.port + 1),
        control: controlOf(simulation),
        onFrame: () => runner.clientFrame(),
        onClients: count => runner.clientsChanged(count),
    }).catch((error: unknown) => {
        simulation.cabinet.close()
        throw new TwinfilerError("usage", (error as Error).message)
    })
    const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM"]
    const stop = () => runner.stop()
    for (const signal of signals) process.once(signal, stop)
    try {
        simulation.start()
        say(
            `cabinet of nodes ${simulation.cabinet.nodeNames.join(", ")}, chips in ${options.dir}, seed ${options.seed}`,
        )
        say(`bus at ws://127.0.0.1:${gateway.webPort} and tcp://127.0.0.1:${gateway.tcpPort}; Ctrl-C ends it`)
        await runner.run()
        say("all boards lose power; the chips' contents are kept")
        simulation.cabinet.shutDown(simulation.nowNs)
        return 0
    } catch (error) {
        say(`the simulation stopped: ${(error as Error).message}\nseed ${options.seed} at ${simulation.nowNs / 1e6} ms`)
        simulation.cabinet.close()
        return 1
    } finally {
        for (const signal of signals) process.off(signal, stop)
        await gateway.close()
    }
}
