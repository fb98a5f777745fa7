/** Firmware version, major << 16 | minor << 8 | patch; readable over the bus. The build writes this file with the version of package.json. */
export const firmwareVersion = 0x000100
