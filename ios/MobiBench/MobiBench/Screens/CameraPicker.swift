import SwiftUI
import UIKit

/// The system's camera; gives the photograph's file, or nil where none was taken.
struct CameraPicker: UIViewControllerRepresentable {
  /// False in a simulator.
  static var isAvailable: Bool { UIImagePickerController.isSourceTypeAvailable(.camera) }

  let onPhoto: @MainActor (Data?) -> Void

  func makeUIViewController(context: Context) -> UIImagePickerController {
    let picker = UIImagePickerController()
    picker.sourceType = .camera
    picker.delegate = context.coordinator
    return picker
  }

  func updateUIViewController(_ controller: UIImagePickerController, context: Context) {}

  func makeCoordinator() -> Coordinator { Coordinator(onPhoto: onPhoto) }

  /// Hears what the camera made.
  @MainActor
  final class Coordinator: NSObject, UIImagePickerControllerDelegate, UINavigationControllerDelegate {
    private let onPhoto: @MainActor (Data?) -> Void

    init(onPhoto: @escaping @MainActor (Data?) -> Void) {
      self.onPhoto = onPhoto
    }

    func imagePickerController(
      _ picker: UIImagePickerController, didFinishPickingMediaWithInfo info: [UIImagePickerController.InfoKey: Any]
    ) {
      // A file, so that the camera's photograph takes the same way as one from the library, orientation included.
      onPhoto((info[.originalImage] as? UIImage)?.jpegData(compressionQuality: 1))
    }

    func imagePickerControllerDidCancel(_ picker: UIImagePickerController) {
      onPhoto(nil)
    }
  }
}
