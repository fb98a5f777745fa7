/** The part of jacdac-ts 1.33.7 that is used here: the package names its types in a way TypeScript 5 does not find. */
declare module "jacdac-ts" {
    export interface Scheduler {
        get timestamp(): number
        resetTime(delta: number): void
        setTimeout(handler: (...args: unknown[]) => void, delay: number, ...args: unknown[]): unknown
        clearTimeout(handle: unknown): void
        setInterval(handler: (...args: unknown[]) => void, delay: number, ...args: unknown[]): unknown
        clearInterval(handle: unknown): void
    }
    export interface JDService {
        readonly serviceIndex: number
        readonly serviceClass: number
        readonly device: JDDevice
        register(code: number): JDRegister
    }
    export interface JDRegister {
        readonly boolValue: boolean | undefined
        sendGetAsync(): Promise<void>
        sendSetBoolAsync(value: boolean): Promise<void>
    }
    export interface JDDevice {
        readonly deviceId: string
        services(options?: { serviceClass?: number }): JDService[]
    }
    export const SELF_ANNOUNCE: string
    export class JDBus {
        constructor(
            transports: [],
            options?: { deviceId?: string; scheduler?: Scheduler; client?: boolean; disableRoleManager?: boolean },
        )
        backgroundRefreshRegisters: boolean
        readonly selfDeviceId: string
        services(options?: { serviceClass?: number }): JDService[]
        devices(options?: { serviceClass?: number }): JDDevice[]
        emit(event: string): void
        on(event: string, listener: (device: JDDevice) => void): void
        stop(): Promise<void>
    }
    export abstract class JDBridge {
        constructor(name: string, infrastructure?: boolean)
        bus: JDBus
        receiveFrameOrPacket(frame: Uint8Array, sender?: string): void
        protected abstract sendPacket(frame: Uint8Array, sender: string): void
    }
}
