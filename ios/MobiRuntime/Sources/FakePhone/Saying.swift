import Foundation

/// One line on standard output, at once: whoever reads it may kill this process on it.
func say(_ line: String) {
  FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

func say(_ line: [UInt8]) {
  say(String(decoding: line, as: UTF8.self))
}
