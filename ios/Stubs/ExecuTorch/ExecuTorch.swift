import Foundation

/// https://github.com/pytorch/executorch/blob/v1.4.0/extension/apple/ExecuTorch/Exported/ExecuTorchModule.h
open class Module: NSObject {
  public init(filePath: String) {}
  open func load(_ method: String) throws { fatalError() }
  open func unload(_ method: String) -> Bool { fatalError() }
}

/// https://github.com/pytorch/executorch/blob/v1.4.0/extension/apple/ExecuTorch/Exported/ExecuTorch+Module.swift
extension Module {
  public func forward(_ inputs: any ValueConvertible...) throws -> [Value] { fatalError() }
}

/// https://github.com/pytorch/executorch/blob/v1.4.0/extension/apple/ExecuTorch/Exported/ExecuTorch+Value.swift
public protocol ValueConvertible {
  func asValue() -> Value
}

/// https://github.com/pytorch/executorch/blob/v1.4.0/extension/apple/ExecuTorch/Exported/ExecuTorchValue.h
open class Value: NSObject {
  public func tensor<T: Scalar>() -> Tensor<T>? { fatalError() }
}

/// https://github.com/pytorch/executorch/blob/v1.4.0/extension/apple/ExecuTorch/Exported/ExecuTorch+Tensor.swift
public protocol Scalar {}
/// https://github.com/pytorch/executorch/blob/v1.4.0/extension/apple/ExecuTorch/Exported/ExecuTorch+Tensor.swift
extension Float: Scalar {}
/// https://github.com/pytorch/executorch/blob/v1.4.0/extension/apple/ExecuTorch/Exported/ExecuTorch+Tensor.swift
public enum ShapeDynamism: Int {
  case `static` = 0
  case dynamicBound = 1
}
/// https://github.com/pytorch/executorch/blob/v1.4.0/extension/apple/ExecuTorch/Exported/ExecuTorch+Tensor.swift
public final class Tensor<T: Scalar>: ValueConvertible {
  public init(
    bytesNoCopy pointer: UnsafeMutableRawPointer, shape: [Int], strides: [Int] = [], dimensionOrder: [Int] = [],
    shapeDynamism: ShapeDynamism = .dynamicBound
  ) {}
  public var count: Int { fatalError() }
  public func withUnsafeBytes<R>(_ body: (UnsafeBufferPointer<T>) throws -> R) rethrows -> R { fatalError() }
  public func asValue() -> Value { fatalError() }
}
