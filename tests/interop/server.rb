# The official server of gRPC for Ruby (Debian's package ruby-grpc) at a free port, which it prints.

require 'grpc'

module ShowsPort
  def add_http2_port(*)
    super.tap do |port|
      puts port
      $stdout.flush
    end
  end
end
GRPC::RpcServer.prepend(ShowsPort)

ARGV.replace(%w[--port 0])
folder = Gem::Specification.find_by_name('grpc').full_gem_path
load "#{folder}/src/ruby/pb/test/server.rb"
